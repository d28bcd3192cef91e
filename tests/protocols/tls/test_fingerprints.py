"""Published fingerprints: the examples of JA4's and JA3's authors."""

from __future__ import annotations

from sensor.protocols.tls.fingerprints import ja3, ja4
from sensor.protocols.tls.hello import Hello

CIPHERS = (
    0x1A1A, 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D,
    0x002F, 0x0035,
)  # fmt: skip
EXTENSIONS = [
    0x4A4A, 0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B, 0xFF01,
    0x000B, 0x000A, 0x0015, 0x5A5A,
]  # fmt: skip
SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)


def chrome() -> Hello:
    """The hello of JA4's technical details."""
    return Hello(
        version=0x0303, session=b"", ciphers=CIPHERS, extensions=EXTENSIONS, protocols=("h2", "http/1.1"),
        protocol_bytes=b"h2", signatures=SIGNATURES, versions=(0x6A6A, 0x0304, 0x0303),
    )  # fmt: skip


def test_ja4_of_the_published_example() -> None:
    assert ja4(chrome()) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_ja4_does_not_depend_on_the_order_of_extensions() -> None:
    hello = chrome()
    hello.extensions.reverse()
    assert ja4(hello) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_ja4_of_a_hello_without_anything() -> None:
    assert ja4(Hello(version=0x0301, session=b"")) == "t10i000000_000000000000_000000000000"


def test_ja3_of_the_published_example() -> None:
    hello = Hello(
        version=769, session=b"", ciphers=(47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4),
        extensions=[0, 10, 11], groups=(23, 24, 25), point_formats=(0,),
    )  # fmt: skip
    assert ja3(hello) == "ada70206e40642a3e4461f35503241d5"
