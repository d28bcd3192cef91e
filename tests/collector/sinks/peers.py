"""Whom alerts are handed to in tests: the real server where there is one to install, and what it has taken.

    real, of Debian: Redis, NATS, RabbitMQ, rsyslog
    stand-ins of others: moto for Kinesis, librdkafka's own mock for Kafka

`asks_for_password`: refuses others; `restarts`: still has what it took. Law: `taken` gives the lines of alerts in the
order the server has them, all there ever were; it waits for `count` of them where they are on their way.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from sensor.collector.sinks.sink import tls
from sensor.config import SinkSettings
from tests.bus.test_subscriber import free_port
from tests.collector.servers import LIMIT_SECONDS, OrderlyServer, PythonServer, Server, in_own_processes, program

TOPIC = "tapir-alerts"


class RedisPeer:
    asks_for_password, restarts = True, True
    listen, scheme = ("--port",), "redis"

    def __init__(self, folder: Path) -> None:
        port, self._folder = free_port(), folder
        server = program("redis-server", "redis-server")
        make_certificates(folder)
        self.server = Server(
            folder, port, server, *self.listen, str(port), "--bind", "127.0.0.1", "--requirepass", "hush",
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(folder),
        )  # fmt: skip

    def settings(self, secret: str = "hush") -> SinkSettings:
        address = f"{self.scheme}://localhost:{self.server.port}/0"
        return SinkSettings(name="s", redis=address, secret=secret, **certificates(self._folder))

    def taken(self, count: int) -> list[bytes]:
        import redis

        files = {} if self.scheme == "redis" else {
            "ssl_ca_certs": self._folder / "ca.pem", "ssl_certfile": self._folder / "client.pem",
            "ssl_keyfile": self._folder / "client.key",
        }  # fmt: skip
        address = f"{self.scheme}://localhost:{self.server.port}/0"
        with redis.Redis.from_url(address, password="hush", **files) as client:
            return [fields[b"alert"] for _, fields in client.xrange(TOPIC)]

    def close(self) -> None:
        self.server.stop()


class RedisTlsPeer(RedisPeer):
    """That asks for a certificate as well."""

    listen, scheme = (
        "--port", "0", "--tls-cert-file", "server.pem", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem",
        "--tls-port",
    ), "rediss"  # fmt: skip


class NatsPeer:
    asks_for_password, restarts = True, True
    options: tuple[str, ...] = ()
    scheme = "nats"

    def __init__(self, folder: Path) -> None:
        port, self._folder = free_port(), folder
        make_certificates(folder)
        self.server = Server(
            folder, port, program("nats-server", "nats-server"), "-a", "127.0.0.1", "-p", str(port),
            "-js", "-sd", str(folder), "--user", "tapir", "--pass", "hush", *self.options,
        )  # fmt: skip
        address = f"{self.scheme}://localhost:{port}"
        self._asked: dict[str, Any] = {"servers": address, "user": "tapir", "password": "hush"}
        if self.options:
            self._asked["tls"] = tls(self.settings())
        asyncio.run(self._prepare())

    async def _prepare(self) -> None:
        import nats

        client = await nats.connect(**self._asked)
        await client.jetstream().add_stream(name="alerts", subjects=[TOPIC])
        await client.close()

    def settings(self, secret: str = "hush") -> SinkSettings:
        address = f"{self.scheme}://localhost:{self.server.port}"
        return SinkSettings(name="s", nats=address, user="tapir", secret=secret, **certificates(self._folder))

    def taken(self, count: int) -> list[bytes]:
        return asyncio.run(self._taken())

    async def _taken(self) -> list[bytes]:
        import nats

        client = await nats.connect(**self._asked)
        stream = client.jetstream()
        last = (await stream.stream_info("alerts")).state.messages
        found = [(await stream.get_msg("alerts", number)).data for number in range(1, last + 1)]
        await client.close()
        return found

    def close(self) -> None:
        self.server.stop()


class NatsTlsPeer(NatsPeer):
    """That asks for a certificate as well."""

    options = ("--tls", "--tlscert", "server.pem", "--tlskey", "server.key", "--tlscacert", "ca.pem", "--tlsverify")
    scheme = "tls"


class RabbitPeer:
    """Over TLS, each side with a certificate; its port mapper ends with it, in a process namespace of its own."""

    asks_for_password, restarts = True, True

    def __init__(self, folder: Path) -> None:
        port = free_port()
        sbin = Path(program("rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
        script = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")) or [sbin]
        (folder / "conf").write_text(
            f"listeners.tcp = none\nlisteners.ssl.local = 127.0.0.1:{port}\ndefault_user = tapir\ndefault_pass = hush\n"
            f"ssl_options.cacertfile = {folder}/ca.pem\nssl_options.certfile = {folder}/server.pem\n"
            f"ssl_options.keyfile = {folder}/server.key\nssl_options.verify = verify_peer\n"
            "ssl_options.fail_if_no_peer_cert = true\n"
            "default_permissions.configure = .*\ndefault_permissions.read = .*\ndefault_permissions.write = .*\n"
        )
        make_certificates(folder)
        self._folder = folder
        (folder / "plugins").write_text("[].\n")
        self.server = OrderlyServer(
            folder, port, *in_own_processes(), str(script[-1]), RABBITMQ_NODENAME=f"tapir{port}@localhost",
            RABBITMQ_MNESIA_BASE=str(folder), RABBITMQ_LOG_BASE=str(folder), RABBITMQ_LOGS="-",
            RABBITMQ_CONFIG_FILE=str(folder / "conf"), RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "plugins"),
            RABBITMQ_DIST_PORT=str(free_port()), ERL_EPMD_PORT=str(free_port()), ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_CONF_ENV_FILE="/dev/null",
        )  # fmt: skip
        self._with_channel(lambda channel: channel.queue_declare(TOPIC, durable=True))

    def _with_channel(self, what: Any) -> None:
        import pika

        asked = pika.ConnectionParameters(
            "localhost", self.server.port, credentials=pika.PlainCredentials("tapir", "hush"),
            ssl_options=pika.SSLOptions(tls(self.settings()), "localhost"),
        )  # fmt: skip
        with pika.BlockingConnection(asked) as connection:
            what(connection.channel())

    def settings(self, secret: str = "hush") -> SinkSettings:
        address = f"amqps://localhost:{self.server.port}/%2F"
        return SinkSettings(name="s", amqp=address, user="tapir", secret=secret, **certificates(self._folder))

    def taken(self, count: int) -> list[bytes]:
        found: list[bytes] = []

        def look(channel: Any) -> None:  # without acknowledging any: they stay
            while (body := channel.basic_get(TOPIC)[2]) is not None:
                found.append(body)

        self._with_channel(look)
        return found

    def close(self) -> None:
        self.server.stop()


class RsyslogPeer:
    """Over TLS, each side with a certificate; what it gets it forwards to us, in counted frames. With GnuTLS: the
    driver for OpenSSL closes each connection twice, by then perhaps one of somebody else (strace; 8.2302.0).
    """

    asks_for_password, restarts = False, True

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT_SECONDS)
        self._folder, self._got = folder, []
        make_certificates(folder)
        (folder / "conf").write_text(f"""
global(workDirectory="{folder}" DefaultNetstreamDriverCAFile="{folder}/ca.pem"
       DefaultNetstreamDriverCertFile="{folder}/server.pem" DefaultNetstreamDriverKeyFile="{folder}/server.key")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
template(name="plain" type="string" string="%msg%")
ruleset(name="out") {{
    action(type="omfwd" target="127.0.0.1" port="{self._listener.getsockname()[1]}" protocol="tcp"
           TCP_Framing="octet-counted" template="plain")
}}
input(type="imtcp" port="{port}" address="127.0.0.1" ruleset="out")
""")
        self.server = Server(
            folder, port, program("rsyslogd", "rsyslog"), "-n", "-f", str(folder / "conf"), "-i", str(folder / "pid")
        )
        self._stream: Any = None

    def settings(self, secret: str = "") -> SinkSettings:
        return SinkSettings(name="s", syslog=f"tls://localhost:{self.server.port}", **certificates(self._folder))

    def taken(self, count: int) -> list[bytes]:
        while len(self._got) < count:
            if self._stream is None:
                connection, _ = self._listener.accept()
                connection.settimeout(LIMIT_SECONDS)
                self._stream = connection.makefile("rb")
            length = b"".join(iter(lambda: self._stream.read(1).strip(), b""))
            if length:
                self._got.append(self._stream.read(int(length)))
            else:  # a server that was ended; the next one connects
                self._stream = None
        return self._got

    def close(self) -> None:
        self.server.stop()
        self._listener.close()


class MotoPeer:
    """Kinesis as moto has it: another program's stand-in, over HTTP."""

    asks_for_password, restarts = False, False

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._server = PythonServer(folder, self._port, "moto.server", "-p", str(self._port))
        self.client().create_stream(StreamName=TOPIC, ShardCount=1)

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "kinesis", endpoint_url=f"http://127.0.0.1:{self._port}", region_name="eu-central-1",
            aws_access_key_id="AKID", aws_secret_access_key="hush",
        )  # fmt: skip

    def settings(self, secret: str = "hush") -> SinkSettings:
        return SinkSettings(
            name="s", kinesis=f"http://127.0.0.1:{self._port}", region="eu-central-1", user="AKID", secret=secret
        )

    def taken(self, count: int) -> list[bytes]:
        client = self.client()
        (shard,) = client.describe_stream(StreamName=TOPIC)["StreamDescription"]["Shards"]
        at = client.get_shard_iterator(
            StreamName=TOPIC, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]  # fmt: skip
        found: list[bytes] = []
        while records := (answer := client.get_records(ShardIterator=at))["Records"]:
            found += [record["Data"] for record in records]
            at = answer["NextShardIterator"]
        return found

    def close(self) -> None:
        self._server.stop()


class KafkaMockPeer:
    """librdkafka's own mock of a broker, in this process, over TCP: Kafka itself needs Java and is not in Debian."""

    asks_for_password, restarts = False, False

    def __init__(self, folder: Path) -> None:
        import confluent_kafka

        self._mock = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = self._mock.list_topics(TOPIC, LIMIT_SECONDS).brokers.values()
        self._address = f"{broker.host}:{broker.port}"

    def settings(self, secret: str = "") -> SinkSettings:
        return SinkSettings(name="s", kafka=self._address, kafka_options={"compression.type": "lz4"})

    def taken(self, count: int) -> list[bytes]:
        import confluent_kafka

        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": self._address, "group.id": "test", "auto.offset.reset": "earliest", "log_level": 0}
        )
        partitions = consumer.list_topics(TOPIC, LIMIT_SECONDS).topics[TOPIC].partitions
        consumer.assign([confluent_kafka.TopicPartition(TOPIC, number, 0) for number in partitions])
        found: list[bytes] = []
        while len(found) < count:
            message = consumer.poll(LIMIT_SECONDS)
            assert message is not None, "no more came"
            assert message.error() is None
            found.append(message.value())
        consumer.close()
        return found

    def close(self) -> None:
        del self._mock


def make_certificates(folder: Path) -> None:
    """ca.pem, and certificates of a server (localhost) and a client that it signed."""
    openssl = program("openssl", "openssl")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True, timeout=LIMIT_SECONDS)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run("req", "-x509", *curve, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    for name in ("server", "client"):
        run(
            "req", "-x509", *curve, "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", f"/CN={name}", "-keyout",
            f"{name}.key", "-out", f"{name}.pem", "-addext", "subjectAltName=DNS:localhost",
            "-addext", "basicConstraints=critical,CA:FALSE",
        )  # fmt: skip
    for path in folder.glob("*.key"):
        path.chmod(0o644)


def certificates(folder: Path) -> dict[str, str]:
    """Settings of a sink that shows the client's."""
    return {
        "ca_file": str(folder / "ca.pem"),
        "certificate_file": str(folder / "client.pem"),
        "key_file": str(folder / "client.key"),
    }


PEERS: dict[str, Any] = {
    "Redis": RedisPeer,
    "Redis over TLS": RedisTlsPeer,
    "NATS": NatsPeer,
    "NATS over TLS": NatsTlsPeer,
    "RabbitMQ": RabbitPeer,
    "rsyslog": RsyslogPeer,
    "Kinesis (moto)": MotoPeer,
    "Kafka (mock of librdkafka)": KafkaMockPeer,
}


def numbers(lines: list[bytes]) -> list[int]:
    """Of alerts, as they were taken."""
    return [json.loads(line)["sequence"] for line in lines]
