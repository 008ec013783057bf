CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.attempt (
    id bigint NOT NULL,
    seq bigint NOT NULL,
    step text NOT NULL,
    started_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    outcome text NOT NULL,
    error text,
    owner text NOT NULL
);
CREATE SEQUENCE public.attempt_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attempt_id_seq OWNED BY public.attempt.id;
CREATE TABLE public.notification (
    seq bigint NOT NULL,
    key text NOT NULL,
    account text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL,
    source text NOT NULL,
    message_id text,
    originator text,
    payload text NOT NULL,
    envelope bytea,
    received_at bigint NOT NULL,
    due_at bigint,
    owner text,
    leased_at bigint,
    attempts integer NOT NULL,
    delete_attempts integer NOT NULL,
    handled_at bigint,
    done_at bigint
);
CREATE SEQUENCE public.notification_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.notification_seq_seq OWNED BY public.notification.seq;
ALTER TABLE ONLY public.attempt ALTER COLUMN id SET DEFAULT nextval('public.attempt_id_seq'::regclass);
ALTER TABLE ONLY public.notification ALTER COLUMN seq SET DEFAULT nextval('public.notification_seq_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.attempt VALUES (1, 1, 'handle', 1772438400000000, 1772438401000000, 'ok', NULL, 'host:1:1');
INSERT INTO public.notification VALUES (1, 'EX0000001/MessageReceived/00000000-0000-0000-0000-000000000001', 'EX0000001', 'MessageReceived', 'done', 'push', '00000000-0000-0000-0000-000000000001', '447700900001', '{"account":"EX0000001","id":"00000000-0000-0000-0000-000000000001","originator":"447700900001","recipient":"","body":"0","type":"Text","sent_at":null,"received_at":null}', NULL, 1772438400000000, NULL, NULL, NULL, 1, 1, 1772438401000000, 1772438402000000);
INSERT INTO public.notification VALUES (2, 'EX0000001/MessageReceived/00000000-0000-0000-0000-000000000002', 'EX0000001', 'MessageReceived', 'received', 'push', '00000000-0000-0000-0000-000000000002', '447700900001', '{"account":"EX0000001","id":"00000000-0000-0000-0000-000000000002","originator":"447700900001","recipient":"","body":"1","type":"Text","sent_at":null,"received_at":null}', NULL, 1772438400000000, 1772438400000000, NULL, NULL, 0, 0, NULL, NULL);
SELECT pg_catalog.setval('public.attempt_id_seq', 1, true);
SELECT pg_catalog.setval('public.notification_seq_seq', 2, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_key_key UNIQUE (key);
ALTER TABLE ONLY public.notification
    ADD CONSTRAINT notification_pkey PRIMARY KEY (seq);
CREATE INDEX ix_attempt_seq ON public.attempt USING btree (seq);
CREATE INDEX ix_notification_dead ON public.notification USING btree (seq) WHERE (state = 'dead'::text);
CREATE INDEX ix_notification_to_delete ON public.notification USING btree (account, due_at) WHERE (state = 'handled'::text);
CREATE INDEX ix_notification_to_handle ON public.notification USING btree (due_at) WHERE (state = 'received'::text);
ALTER TABLE ONLY public.attempt
    ADD CONSTRAINT attempt_seq_fkey FOREIGN KEY (seq) REFERENCES public.notification(seq) ON DELETE CASCADE;
