BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE attempt (
	id INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	step TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	ended_at BIGINT NOT NULL, 
	outcome TEXT NOT NULL, 
	error TEXT, 
	owner TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(seq) REFERENCES notification (seq) ON DELETE CASCADE
);
INSERT INTO "attempt" VALUES(1,1,'handle',1772438400000000,1772438401000000,'ok',NULL,'host:1:1');
CREATE TABLE notification (
	seq INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	account TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	source TEXT NOT NULL, 
	message_id TEXT, 
	originator TEXT, 
	payload TEXT NOT NULL, 
	envelope BLOB, 
	received_at BIGINT NOT NULL, 
	due_at BIGINT, 
	owner TEXT, 
	leased_at BIGINT, 
	attempts INTEGER NOT NULL, 
	delete_attempts INTEGER NOT NULL, 
	handled_at BIGINT, 
	done_at BIGINT, 
	PRIMARY KEY (seq), 
	UNIQUE ("key")
);
INSERT INTO "notification" VALUES(1,'EX0000001/MessageReceived/00000000-0000-0000-0000-000000000001','EX0000001','MessageReceived','done','push','00000000-0000-0000-0000-000000000001','447700900001','{"account":"EX0000001","id":"00000000-0000-0000-0000-000000000001","originator":"447700900001","recipient":"","body":"0","type":"Text","sent_at":null,"received_at":null}',NULL,1772438400000000,NULL,NULL,NULL,1,1,1772438401000000,1772438402000000);
INSERT INTO "notification" VALUES(2,'EX0000001/MessageReceived/00000000-0000-0000-0000-000000000002','EX0000001','MessageReceived','received','push','00000000-0000-0000-0000-000000000002','447700900001','{"account":"EX0000001","id":"00000000-0000-0000-0000-000000000002","originator":"447700900001","recipient":"","body":"1","type":"Text","sent_at":null,"received_at":null}',NULL,1772438400000000,1772438400000000,NULL,NULL,0,0,NULL,NULL);
CREATE INDEX ix_notification_to_handle ON notification (due_at) WHERE state = 'received';
CREATE INDEX ix_notification_to_delete ON notification (account, due_at) WHERE state = 'handled';
CREATE INDEX ix_notification_dead ON notification (seq) WHERE state = 'dead';
CREATE INDEX ix_attempt_seq ON attempt (seq);
COMMIT;
