"""Configuration: the environment, every variable described; accounts have a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.contract.errors import Misconfigured

SHORTEST: Final = 31  # days that anything is kept: longer than any topic keeps a record that names it
OTHERS: Final = "*"  # of PARLEY_RETENTION: every tenant without an entry of its own


class Kept(BaseModel):
    """For how many days a tenant's messages and files are kept; null: for ever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: int | None = Field(None, ge=SHORTEST)
    media: int | None = Field(None, ge=SHORTEST)


def _json(given: object) -> object:
    """What the environment holds; nothing is an empty object."""
    return orjson.loads(given or "{}") if isinstance(given, str) else given


class Settings(BaseSettings):
    """Read from the environment, names with the prefix PARLEY_."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Kafka's bootstrap servers, host:port[,host:port …]")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how Kafka is spoken to, by Kafka's names: SSL is TLS, SASL is user and password"
    )
    kafka_ca: str = Field(
        "", description="Kafka by TLS: file of the authorities that are trusted (PEM); empty: the system's"
    )
    kafka_certificate: str = Field(
        "", description="Kafka by TLS: file of our own certificate chain (PEM), where it wants one"
    )
    kafka_key: str = Field("", description="Kafka by TLS: file of that certificate's key (PEM, without a password)")
    kafka_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "", description="Kafka by SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    kafka_user: str = Field("", description="Kafka by SASL: the user")
    kafka_password: SecretStr = Field(SecretStr(""), description="Kafka by SASL: the password, or instead of it")
    kafka_password_file: str = Field("", description="Kafka by SASL: the file that holds the password")
    database: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1/parley"),
        description="PostgreSQL, as postgresql://user:password@host:port/name[?sslmode=verify-full&sslrootcert=FILE]",
    )
    blobs: str = Field("file:///var/lib/parley/blobs", description="the blob store: file://, s3://, gs:// or az:// URL")
    accounts: str = Field("/etc/parley/accounts.toml", description="the accounts file; read again when it changes")
    channels: str = Field(
        "",
        description="adapters: the channels that this process serves, with commas between them, so that they can be scaled apart "
        "(kubernetes.md); empty: all of its family",
    )
    token: SecretStr = Field(
        SecretStr(""), description="the bearer token of the HTTP API and the page; empty: both are closed"
    )
    token_file: str = Field("", description="the file that holds the token, where PARLEY_TOKEN is empty")
    tokens: str = Field(
        "",
        description="router: the file of further tokens, each with its tenants and its scope (integrate.md#tokens); read again when "
        "it changes; empty, or no such file: none but PARLEY_TOKEN, which opens everything",
    )
    secret_file: str = Field("", description="the file that holds the key, where PARLEY_SECRET is empty")
    secret: SecretStr = Field(
        SecretStr(""),
        description="key of the signed conversation tokens in addresses and ids, of public addresses of files and of stored access tokens, the same for router and adapters; never change it",
    )
    prefix: str = Field("parley.", description="what every topic's and group's name begins with")
    partitions: int = Field(24, ge=1, description="partitions of new topics; they must not be widened later")
    replication: int = Field(3, ge=1, description="replicas of new topics; above 1, two of them must acknowledge")
    http_host: str = Field("0.0.0.0", description="the address on which HTTP is served")  # noqa: S104 a container's own
    http_port: int = Field(8080, ge=0, le=65535, description="the port on which HTTP is served")
    hosts: str = Field(
        "localhost,127.0.0.1,::1",
        description="router and sandbox: the hosts, without a port and with commas between them, at which page and API may be "
        "asked for; any other is refused (DNS rebinding)",
    )
    trusted_proxies: str = Field(
        "",
        description="networks of the proxies in front of this service, as 10.0.0.0/8 with commas between them: who asks is "
        "then taken from their X-Forwarded-For, and has a share of its own",
    )
    smtp_host: str = Field("0.0.0.0", description="email_adapter: the address on which mail is taken")  # noqa: S104 a container's own
    smtp_port: int = Field(0, ge=0, le=65535, description="email_adapter: the port on which mail is taken; 0: none")
    smtp_name: str = Field("", description="the name by which we greet and are greeted in SMTP; empty: the host's own")
    smtp_postmaster: str = Field(
        "",
        description="email_adapter: the inbox (its address) that mail to postmaster goes to; empty: the domain's first",
    )
    smtp_certificate: str = Field(
        "",
        description="email_adapter: file of the certificate chain; with it STARTTLS is offered; read again when it changes",
    )
    smtp_key: str = Field("", description="email_adapter: file of the certificate's private key")
    smtp_relays: str = Field(
        "",
        description="email_adapter: networks of your own mail servers that hand mail on to us, as 10.0.0.0/8 with commas between them",
    )
    smtp_results: str = Field(
        "",
        description="email_adapter: the name under which those servers write Authentication-Results (their authserv-id), which are "
        "then believed; they must remove such headers of others (RFC 8601 §5); empty: nobody is believed",
    )
    smtp_checks: bool = Field(
        False,
        description="email_adapter: mail that comes from elsewhere comes straight from its senders' servers, and SPF, DKIM and "
        "DMARC are checked by DNS; leave it off behind a proxy that hides who brings mail",
    )
    smtp_reject: bool = Field(
        False,
        description="email_adapter: refuse (550 5.7.1) what fails where the domain that it says to be from asks for that (DMARC "
        "p=reject); without it such mail is taken and marked",
    )
    smtp_forwarders: str = Field(
        "",
        description="email_adapter: domains of forwarders, with commas between them, whose word (ARC) is taken for what the mail "
        "was before they changed it",
    )
    dns: str = Field(
        "",
        description="email_adapter, `parley doctor`: the name servers that are asked about mail, as 10.0.0.53 or 10.0.0.53:5353 with "
        "commas between them; empty: the system's",
    )
    public_url: str = Field(
        "",
        description="how providers reach this service from outside, without a path: webhooks, and files that go out by address",
    )
    console_chat: str = Field("", description="router: address of chat_adapter, whose demo page the console shows")
    console_sandbox: str = Field("", description="router: address of the sandbox, whose phone the console shows")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="what is logged")
    log_format: Literal["json", "console"] = Field("json", description="how it is logged")
    batch: int = Field(500, ge=1, le=5000, description="router: records of one transaction at the most")
    session_seconds: float = Field(
        20.0, ge=6, description="how long a silent consumer keeps its partitions before others take over"
    )
    instance: str = Field(
        "",
        pattern=r"^[a-zA-Z0-9._-]{0,249}$",
        description="this process's own name, the same after a crash and no other's (a pod's): begun again within "
        "PARLEY_SESSION_SECONDS it has its partitions at once, and no other process notices; empty: it is a new one each time",
    )
    failures_in_a_row: int = Field(
        20,
        ge=0,
        description="records of one partition set aside one after the other before it stands still; 0: it never does",
    )
    retention: Annotated[Mapping[str, Kept], NoDecode, BeforeValidator(_json)] = Field(
        {},
        description="how many days messages and media are kept, by tenant, * for all others, 31 at the least, as "
        '{"*": {"messages": 400, "media": 90}, "shop": {"messages": 100}}; empty: for ever (operations.md)',
    )
    connections: int = Field(8, ge=2, description="PostgreSQL connections of one process at the most")
    drain_seconds: float = Field(20.0, description="how long a stopping process finishes what it has begun")

    @model_validator(mode="before")
    @classmethod
    def _read_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Secrets by file. Raises Misconfigured."""
        found = {name: str(given.get(f"{name}_file") or "") for name in ("token", "secret") if not given.get(name)}
        return given | {name: _content(name, Path(file)) for name, file in found.items() if file}

    def kept(self, tenant: str) -> Kept:
        """How long this tenant's data are kept."""
        return self.retention.get(tenant) or self.retention.get(OTHERS) or Kept()

    def topic(self, name: str) -> str:
        """The full name of a topic or consumer group."""
        return self.prefix + name


def _content(name: str, file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"PARLEY_{name.upper()}_FILE: {file} cannot be read ({error}).") from error
