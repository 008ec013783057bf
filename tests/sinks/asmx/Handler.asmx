<%@ WebService Language="C#" Class="Handler" %>
<%@ Assembly Name="System.Web.Extensions" %>
// An Account Event Handler in ASP.NET, as Visual Studio makes one from the WSDL: typed values, enumerations, a header.
using System;
using System.IO;
using System.Web.Script.Serialization;
using System.Web.Services;
using System.Web.Services.Protocols;

public enum MessageType { Text, Binary, SmartMessage, Unicode }
public enum EventType { Delivered }
public enum ErrorType { Failed, UnrecognisedRecipient, ValidityPeriodExpired }
public enum EventCode { Subscribe, Unsubscribe, Resubscribe, Continue }
public class FailureReason { public int code; public string description; public bool permanentfailure; }
public class MessengerHeader : SoapHeader { public string Username; public string Password; public string Account; }

[WebService(Namespace = "com.esendex.ems.soapinterface")]
public class Handler : WebService
{
    static readonly object Lock = new object();
    public MessengerHeader messengerHeader;

    [WebMethod, SoapHeader("messengerHeader")]
    public void MessageReceived(
        string id, string originator, string recipient, string body, MessageType type, DateTime sentat, DateTime receivedat)
    {
        Authenticate();
        if (body == "refuse me") throw new SoapException("not this one", SoapException.ClientFaultCode);
        if (body == "break") throw new InvalidOperationException("out of order");
        Tell("MessageReceived", new { id, originator, recipient, body, type = type.ToString(), sentat = Utc(sentat) });
    }

    [WebMethod, SoapHeader("messengerHeader")]
    public void MessageEvent(string id, EventType eventtype, DateTime occurredat)
    {
        Authenticate();
        Tell("MessageEvent", new { id, eventtype = eventtype.ToString(), occurredat = Utc(occurredat) });
    }

    [WebMethod, SoapHeader("messengerHeader")]
    public void MessageError(
        string id, ErrorType errortype, DateTime occurredat, string detail, FailureReason failurereason)
    {
        Authenticate();
        Tell("MessageError", new { id, errortype = errortype.ToString(), code = failurereason.code });
    }

    [WebMethod, SoapHeader("messengerHeader")]
    public void SubscriptionEvent(string mobileNumber, string contactID, EventCode eventCode, DateTime occurredAt)
    {
        Authenticate();
        Tell("SubscriptionEvent", new { mobileNumber, contactID, eventCode = eventCode.ToString() });
    }

    void Authenticate()
    {
        if (messengerHeader.Username != "relay" || messengerHeader.Password != "p\u00e4ss")
            throw new SoapException("Authentication failed", SoapException.ClientFaultCode);
    }

    static string Utc(DateTime time) { return time.ToUniversalTime().ToString("o"); }

    void Tell(string operation, object values)
    {
        var line = new JavaScriptSerializer().Serialize(new { operation, account = messengerHeader.Account, values });
        lock (Lock) File.AppendAllText(Environment.GetEnvironmentVariable("TOLD"), line + "\n");
    }
}
