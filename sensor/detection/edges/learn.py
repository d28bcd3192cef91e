"""Edges as traffic shows them: in: batches; out: the file of allowed edges that would allow just these.

Calls that were refused, and connections without an answer, allow nothing. Clients that call the same are one edge;
where most of a network's clients do, the network is. The one law: what was learned is allowed by what is written.
"""

from __future__ import annotations

import ipaddress
import json
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sensor.detection.detector import Strings
from sensor.detection.evidence import address
from sensor.schema import ConnState, FlowFlag, Service

Table = npt.NDArray[np.void]
_ANSWERED = (ConnState.S1, ConnState.SF, ConnState.S2, ConnState.S3, ConnState.RSTO, ConnState.RSTR)
_COLUMNS = ("client_hi", "client_lo", "server_hi", "server_lo", "server_port", "host", "method", "endpoint", "role")
_ENDS = ("orig_hi", "orig_lo", "resp_hi", "resp_lo", "resp_port")
_NETWORK_BITS = {4: 24, 6: 64}
NETWORK_CLIENTS_MIN = 8
"""Clients of one network from which on the network is written instead of them."""
ENDPOINTS_MAX = 200
"""An edge with more endpoints than this allows all."""


class Learned:
    """`calls`: (client, server:port) -> endpoints; `flows`: the same without; `roles`: role -> endpoints."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.flows: set[tuple[str, str]] = set()
        self.roles: dict[str, set[str]] = defaultdict(set)

    def add(self, transactions: Table, flows: Table, strings: Strings) -> None:
        """Rows of a batch."""
        granted = transactions[(transactions["status_code"] >= 200) & (transactions["status_code"] < 400)]
        for row in granted[_first_of(granted, _COLUMNS)]:
            endpoint = f"{strings.text(int(row['method']))} {strings.text(int(row['endpoint']))}"
            self.calls[address(row, "client"), _end(row, "server")].add(endpoint)
            if row["role"]:
                self.roles[f"{row['role']:016x}"].add(endpoint)
        whole = flows["flags"] & FlowFlag.MIDSTREAM == 0
        answered = flows[np.isin(flows["conn_state"], _ANSWERED) & (flows["service"] != Service.HTTP) & whole]
        for row in answered[_first_of(answered, _ENDS)]:
            self.flows.add((address(row, "orig"), _end(row, "resp")))

    def edges(self) -> list[tuple[list[str], list[str], list[str] | None]]:
        """(from, to, endpoints), the widest first to read; endpoints are None where anything may be called."""
        whole = {pair: None for pair in self.flows}
        alike: dict[tuple[str, tuple[str, ...] | None], list[str]] = defaultdict(list)
        for client, server in sorted({*self.calls, *whole}):
            found = self.calls.get((client, server))
            listed = None if found is None or len(found) > ENDPOINTS_MAX else tuple(sorted(found))
            alike[server, listed].append(client)
        together: dict[tuple[tuple[str, ...], tuple[str, ...] | None], list[str]] = defaultdict(list)
        for (server, endpoints), clients in alike.items():
            together[tuple(networks_of(clients)), endpoints].append(server)
        return [
            (list(clients), servers, None if endpoints is None else list(endpoints))
            for (clients, endpoints), servers in together.items()
        ]

    def text(self) -> str:
        """The file."""
        lines = ["# Who may call what, as it was seen: see docs/segmentation.md. What is not here is told."]
        for clients, servers, endpoints in self.edges():
            lines += ["", "[[edges]]", f"from = {json.dumps(clients)}", f"to = {json.dumps(servers)}"]
            lines += [] if endpoints is None else [f"endpoints = {_listed(endpoints)}"]
        for role, used in sorted(self.roles.items()):
            lines += ["", "[[roles]]", f'role = "{role}"', f"endpoints = {_listed(sorted(used))}"]
        return "\n".join(lines) + "\n"


def networks_of(clients: Iterable[str]) -> list[str]:
    """The clients, those of one network as the network where there are enough of them."""
    by_network: dict[str, list[str]] = defaultdict(list)
    for client in clients:
        bits = _NETWORK_BITS[ipaddress.ip_address(client).version]
        by_network[str(ipaddress.ip_network(f"{client}/{bits}", strict=False))].append(client)
    return [
        name
        for network, members in by_network.items()
        for name in ([network] if len(members) >= NETWORK_CLIENTS_MIN else members)
    ]


def _first_of(rows: Table, columns: Iterable[str]) -> npt.NDArray[np.intp]:
    """The first row of each distinct combination, in order."""
    which = np.zeros(len(rows), np.intp)
    for name in columns:
        found, codes = np.unique(rows[name], return_inverse=True)
        which = np.unique(which * len(found) + codes, return_inverse=True)[1]
    return np.sort(np.unique(which, return_index=True)[1])


def _end(row: np.void, side: str) -> str:
    text = address(row, side)
    return f"[{text}]:{row[f'{side}_port']}" if ":" in text else f"{text}:{row[f'{side}_port']}"


def _listed(texts: list[str]) -> str:
    """As TOML has lists of texts; JSON's escapes are TOML's."""
    return "[\n" + "".join(f"    {json.dumps(text)},\n" for text in texts) + "]"
