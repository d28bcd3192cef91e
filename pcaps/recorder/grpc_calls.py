"""gRPC without code generation: a server and a client that send plain bytes.

Goes in: `server ADDRESS LOG` or `client ADDRESS`. Comes out: the traffic, and of the server one JSON line a call. The
law: as in api_server.py.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

SERVICE = "shop.v1.OrderService"
PREFIX = 5  # bytes before each message


class Calls(grpc.GenericRpcHandler):
    """GetOrder: one for one; ListOrders: one for many; Upload: many for one; Chat: both at the same time."""

    def __init__(self, address: str, log: str) -> None:
        self.address, self.log = address, log

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        name = details.method.rpartition("/")[2]
        kinds = {
            "GetOrder": grpc.unary_unary_rpc_method_handler, "ListOrders": grpc.unary_stream_rpc_method_handler,
            "Upload": grpc.stream_unary_rpc_method_handler, "Chat": grpc.stream_stream_rpc_method_handler,
        }  # fmt: skip
        return kinds[name](getattr(self, f"_{name.lower()}")) if name in kinds else None

    def _note(self, context: grpc.ServicerContext, name: str, got: list[bytes], sent: list[bytes], status: int) -> None:
        metadata = {key: value for key, value in context.invocation_metadata()}
        line = {
            "client": context.peer().removeprefix("ipv4:"), "server": self.address, "method": "POST",
            "uri": f"/{SERVICE}/{name}", "host": self.address, "user_agent": metadata.get("user-agent"),
            "version": "HTTP/2", "status_code": 200, "request_body_len": sum(len(one) + PREFIX for one in got),
            "response_body_len": sum(len(one) + PREFIX for one in sent), "grpc_status": status,
            "request_messages": len(got), "response_messages": len(sent),
        }  # fmt: skip
        with open(self.log, "a") as log:
            log.write(json.dumps(line) + "\n")

    def _getorder(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if request == b"missing":
            self._note(context, "GetOrder", [request], [], 5)
            context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        answer = b"order " + request * 20
        self._note(context, "GetOrder", [request], [answer], 0)
        return answer

    def _listorders(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        sent = [b"%d" % n * 30 for n in range(int(request))]
        yield from sent
        self._note(context, "ListOrders", [request], sent, 0)

    def _upload(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        got = list(requests)
        answer = b"%d parts" % len(got)
        self._note(context, "Upload", got, [answer], 0)
        return answer

    def _chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        got = []
        for one in requests:
            got.append(one)
            yield one.upper()
        self._note(context, "Chat", got, [one.upper() for one in got], 0)


def server(address: str, log: str) -> None:
    made = grpc.server(futures.ThreadPoolExecutor(max_workers=4), handlers=(Calls(address, log),))
    made.add_insecure_port(address)
    made.start()
    made.wait_for_termination()


def client(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        def call(kind: str, name: str) -> Any:
            return getattr(channel, kind)(f"/{SERVICE}/{name}")

        for number in range(12):
            call("unary_unary", "GetOrder")(b"%d" % number)
        with contextlib.suppress(grpc.RpcError):
            call("unary_unary", "GetOrder")(b"missing")
        assert len(list(call("unary_stream", "ListOrders")(b"40"))) == 40
        call("stream_unary", "Upload")(iter([b"part" * 500] * 9))
        assert len(list(call("stream_stream", "Chat")(iter([b"hello", b"there", b"bye"])))) == 3
        futures_ = [call("unary_unary", "GetOrder").future(b"at once %d" % n) for n in range(20)]
        for one in futures_:
            one.result()


if __name__ == "__main__":
    {"server": server, "client": client}[sys.argv[1]](*sys.argv[2:])
