// A peer that answers as fast as Node can: 204 to a web hook, and to SOAP the response of the operation in SOAPAction.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  request.on("data", () => {});
  request.on("end", () => {
    const action = request.headers.soapaction;
    if (!action) {
      response.writeHead(204).end();
      return;
    }
    const name = action.replaceAll('"', "").split("/").pop();
    response.writeHead(200, { "Content-Type": "text/xml; charset=utf-8" }).end(
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' +
        `<${name}Response xmlns="com.esendex.ems.soapinterface"/></s:Body></s:Envelope>`,
    );
  });
});
server.keepAliveTimeout = 60000;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
