-- Each request is a MessageReceived with an id and a body of its own. Threads draw from different ranges.
local counter, started, threads = 0, 0, 0
local envelope = [[<?xml version="1.0" encoding="utf-8"?>
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
      <id>%08x-%04x-4c75-9d1e-%012x</id>
      <originator>4477009%05d</originator>
      <recipient>447786204254</recipient>
      <body>Vote %d for number %d &amp; good luck</body>
      <type>Text</type>
      <sentat>2008-06-12T10:15:30.1234560+01:00</sentat>
      <receivedat>2008-06-12T10:15:31.0000000+01:00</receivedat>
    </MessageReceived>
  </soap:Body>
</soap:Envelope>]]

function setup(each)
  each:set("thread", threads)
  threads = threads + 1
end

function init(arguments)
  math.randomseed(os.time() + thread * 7919 + (tonumber(arguments[1]) or 0))
  started = math.random(0, 0x7fffffff)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "text/xml; charset=utf-8"
  wrk.headers["SOAPAction"] = '"com.esendex.ems.soapinterface/MessageReceived"'
end

function request()
  counter = counter + 1
  return wrk.format(nil, nil, nil, string.format(
    envelope, started, thread, counter, counter % 100000, counter, counter % 7))
end

function done(summary, latency, requests)
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "not_2xx": %d, "socket_errors": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
