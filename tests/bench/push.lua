-- Each request is a MessageReceived as EMS sends it: a random version-4 GUID, one of 100,000 originators, one of
-- 500 bodies of 2 to 12 words, times that move with the clock. Argument 1 seeds the dice, argument 2 is the version of
-- the API: soap, soap-no-header, form or xml; refused is SOAP with a wrong password.
local head = [[<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
  <soap:Header>
    <MessengerHeader xmlns="com.esendex.ems.soapinterface">
      <Username>ems</Username>
      <Password>s3cret</Password>
      <Account>EX0012345</Account>
    </MessengerHeader>
  </soap:Header>
  <soap:Body>
    <MessageReceived xmlns="com.esendex.ems.soapinterface">
      <id>]]
local middle = [[</originator>
      <recipient>447786204254</recipient>
      <body>%s</body>
      <type>%s</type>
      <sentat>]]
local after_id, after_sent = "</id>\n      <originator>4477009", "+01:00</sentat>\n      <receivedat>"
local tail = [[+01:00</receivedat>
    </MessageReceived>
  </soap:Body>
</soap:Envelope>]]
local fraction, zone, time_format, content_type = ".%07d", 3600, "!%Y-%m-%dT%H:%M:%S", "text/xml; charset=utf-8"

local function speak_without_header()
  local block = head:match("<Username>.-</Account>")
  local lower = block:gsub("(</?)(%u)", function(mark, letter) return mark .. letter:lower() end)
  head = head:gsub("  <soap:Header>.-</soap:Header>\n", ""):gsub("<id>$", lower .. "<id>")
end

local function speak_form()
  head = "username=ems&password=s3cret&account=EX0012345&notificationType=MessageReceived&id="
  after_id, middle = "&originator=4477009", "&recipient=447786204254&body=%s&type=%s&sentAt="
  after_sent, tail, fraction, zone = "&receivedAt=", "", "", 0
  time_format, content_type = "!%Y-%m-%d+%H%%3A%M%%3A%SZ", "application/x-www-form-urlencoded"
end

local function speak_xml()
  head = "<InboundMessage><Id>0a1b2c3d-1111-4222-8333-444455556666</Id><AccountId>EX0012345</AccountId><MessageId>"
  after_id, middle = "</MessageId><From>4477009", "</From><To>447786204254</To><MessageText>%s</MessageText>"
  after_sent, tail, fraction, time_format, content_type = "", "</InboundMessage>", "", "", "application/xml"
  wrk.headers["Authorization"] = "Basic ZW1zOnMzY3JldA=="
end

local function speak_with_a_wrong_password()
  head = head:gsub("s3cret", "guessed")
end

local words = {}
for word in ([[yes no please thanks merci danke grüße Köln José café naïve Straße für Ελλάδα ευχαριστώ спасибо 東京 はい
  شكرا 👍 😀 🚌 🎉 ❤️ vote for number 1 2 3 7 12 tickets menu &amp; a the at 19:30 tomorrow table stop start late home
  work running back in ten minutes good luck see you there – €5 £20 100% ok OK! what? where? "sure" it's fine señor
  piñata Łódź Ångström fjord smørrebrød voilà déjà vu ça va bien à bientôt adiós mañana happy birthday mum dad order
  4711 confirmed cancel delivery parcel door code A7X9 appointment Dr Müller Zürich]]):gmatch("%S+") do
  words[#words + 1] = word
end

local random, format = math.random, string.format
local starts, middles = {}, {}  -- for each body: the request's head and the envelope to the id; from originator to time
local second, moment, moments = nil, nil, {}

local function written(time)
  return os.date(time_format, time + zone)
end

local function invent_middle()
  local chosen = {}
  for place = 1, random(2, 12) do chosen[place] = words[random(#words)] end
  local body = table.concat(chosen, " ")
  local kind = body:find("[\128-\255]") and "Unicode" or "Text"
  if zone == 0 then  -- a form
    body = body:gsub("&amp;", "&"):gsub("[^%w ]", function(byte) return format("%%%02X", byte:byte()) end):gsub(" ", "+")
  end
  return format(middle, body, kind)
end

local function invent_id()
  return format("%08x-%04x-4%03x-%04x-%04x%08x", random(0, 0xffffffff), random(0, 0xffff), random(0, 0xfff),
    random(0x8000, 0xbfff), random(0, 0xffff), random(0, 0xffffffff))
end

local function envelope(start, rest, sent, received)
  return start .. invent_id() .. after_id .. format("%05d", random(0, 99999)) .. rest
    .. sent .. format(fraction, random(0, 9999999)) .. after_sent
    .. received .. format(fraction, random(0, 9999999)) .. tail
end

local function turn_the_clock(now)
  second, moment = now, written(now)
  for ago = 1, 90 do moments[ago] = written(now - ago) end
end

-- The heads are made before the burst, as those of a body differ in their length alone.
function init(arguments)
  math.randomseed(tonumber(arguments[1]))
  if arguments[2] == "soap-no-header" then speak_without_header() end
  if arguments[2] == "form" then speak_form() end
  if arguments[2] == "xml" then speak_xml() end
  if arguments[2] == "refused" then speak_with_a_wrong_password() end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = content_type
  wrk.headers["SOAPAction"] = '"com.esendex.ems.soapinterface/MessageReceived"'
  for number = 1, 500 do
    middles[number] = invent_middle()
    local whole = wrk.format(nil, nil, nil, envelope(head, middles[number], written(0), written(0)))
    starts[number] = whole:match("^.-\r\n\r\n") .. head
  end
end

function request()
  local now = os.time()
  if now ~= second then turn_the_clock(now) end
  local number = random(#middles)
  return envelope(starts[number], middles[number], moments[random(#moments)], moment)
end

function done(summary, latency)
  io.write(format(
    '{"requests": %d, "seconds": %f, "not_2xx": %d, "socket_errors": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
