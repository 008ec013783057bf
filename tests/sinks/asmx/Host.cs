// ASP.NET for the tests, on Mono: an HTTP listener before System.Web, since Debian's xsp4 does not run on its Mono.
// Arguments: the port, and the folder of the application, whose bin holds this program.
using System;
using System.Collections;
using System.IO;
using System.Net;
using System.Threading;
using System.Web;
using System.Web.Hosting;

public class Request : HttpWorkerRequest {
  readonly HttpListenerContext c; readonly string root; readonly byte[] body;
  public readonly ManualResetEvent Done = new ManualResetEvent(false);
  public Request(HttpListenerContext c, string root) {
    this.c = c; this.root = root;
    using (var m = new MemoryStream()) { c.Request.InputStream.CopyTo(m); body = m.ToArray(); }
  }
  public override string GetUriPath() { return c.Request.Url.AbsolutePath; }
  public override string GetQueryString() { return c.Request.Url.Query.TrimStart('?'); }
  public override string GetRawUrl() { return c.Request.RawUrl; }
  public override string GetHttpVerbName() { return c.Request.HttpMethod; }
  public override string GetHttpVersion() { return "HTTP/1.1"; }
  public override string GetRemoteAddress() { return "127.0.0.1"; }
  public override int GetRemotePort() { return c.Request.RemoteEndPoint.Port; }
  public override string GetLocalAddress() { return "127.0.0.1"; }
  public override int GetLocalPort() { return c.Request.LocalEndPoint.Port; }
  public override string GetAppPath() { return "/"; }
  public override string GetAppPathTranslated() { return root + "/"; }
  public override string GetFilePath() { return c.Request.Url.AbsolutePath; }
  public override string GetFilePathTranslated() { return root + c.Request.Url.AbsolutePath; }
  public override string MapPath(string path) { return root + "/" + path.TrimStart('/'); }
  public override string GetKnownRequestHeader(int index) { return c.Request.Headers[GetKnownRequestHeaderName(index)]; }
  public override string GetUnknownRequestHeader(string name) { return c.Request.Headers[name]; }
  public override string[][] GetUnknownRequestHeaders() {
    var found = new ArrayList();
    foreach (string name in c.Request.Headers.AllKeys)
      if (GetKnownRequestHeaderIndex(name) < 0) found.Add(new[] { name, c.Request.Headers[name] });
    return (string[][])found.ToArray(typeof(string[]));
  }
  public override byte[] GetPreloadedEntityBody() { return body; }
  public override bool IsEntireEntityBodyIsPreloaded() { return true; }
  public override void SendStatus(int code, string text) { c.Response.StatusCode = code; }
  public override void SendKnownResponseHeader(int index, string value) { Set(GetKnownResponseHeaderName(index), value); }
  public override void SendUnknownResponseHeader(string name, string value) { Set(name, value); }
  void Set(string name, string value) {
    if (name == "Content-Length") c.Response.ContentLength64 = long.Parse(value);
    else if (name == "Content-Type") c.Response.ContentType = value;
    else if (name != "Transfer-Encoding" && name != "Connection") c.Response.Headers[name] = value;
  }
  public override void SendResponseFromMemory(byte[] data, int length) { c.Response.OutputStream.Write(data, 0, length); }
  public override void SendResponseFromFile(string name, long offset, long length) { var d = File.ReadAllBytes(name); SendResponseFromMemory(d, d.Length); }
  public override void SendResponseFromFile(IntPtr handle, long offset, long length) { throw new NotSupportedException(); }
  public override void FlushResponse(bool final) { }
  public override void EndOfRequest() { c.Response.Close(); }
}

public class Application : MarshalByRefObject {
  public override object InitializeLifetimeService() { return null; }
  public void Serve(int port, string root) {
    var listener = new HttpListener();
    listener.Prefixes.Add("http://127.0.0.1:" + port + "/");
    listener.Start();
    while (true) {
      var context = listener.GetContext();
      ThreadPool.QueueUserWorkItem(_ => HttpRuntime.ProcessRequest(new Request(context, root)));
    }
  }
}

public class Host {
  public static void Main(string[] args) {
    var application = (Application)ApplicationHost.CreateApplicationHost(typeof(Application), "/", args[1]);
    application.Serve(int.Parse(args[0]), args[1]);
  }
}
