<?php
// An Account Event Handler in PHP, as its manual shows one: a SoapServer over the WSDL.
class Handler
{
    private string $account = "";

    public function MessengerHeader($header): void
    {
        if ($header->Username !== "relay" || $header->Password !== "päss") {
            throw new SoapFault("Client", "Authentication failed");
        }
        $this->account = $header->Account;
    }

    public function __call(string $operation, array $arguments)
    {
        if (isset($arguments[0]->body) && $arguments[0]->body === "refuse me") {
            throw new SoapFault("Client", "not this one");
        }
        $line = json_encode(["operation" => $operation, "account" => $this->account, "values" => $arguments[0]]);
        file_put_contents(getenv("TOLD"), $line . "\n", FILE_APPEND | LOCK_EX);
        return new stdClass();
    }
}

$server = new SoapServer(getenv("WSDL"), ["cache_wsdl" => WSDL_CACHE_NONE]);
$server->setClass("Handler");
$server->handle();
