"""Every bound on what traffic can make grow, with its why. Reaching one is always counted."""

from __future__ import annotations

NS = 1_000_000_000
"""Nanoseconds in a second: all packet time is int64 nanoseconds since 1970."""

# --- capture -------------------------------------------------------------------------------------------------------
READ_BUFFER_BYTES = 4 << 20
"""One reused read buffer: larger ones leave the cache and gain nothing (measured)."""
FRAME_BYTES_MAX = 262_144
"""tcpdump's largest snap length: a longer record is a broken file."""
BATCH_FRAMES = 8_192
"""A batch of this size and its tables stay in the second-level cache (measured: 256 and 65,536 are 20 % slower)."""
BLOCKS_TOGETHER = 16
"""Blocks of a file whose transactions are judged together: verdicts on many cost less, while blocks stay small (of 8
detection costs a tenth more).
"""
FLOWS_TOGETHER = 4_096
"""Flows that ended at which they are judged, however few blocks it took: a scan ends thousands in one."""
LARGE_FRAME_BYTES = 1_600
"""An Ethernet frame with two tags and a tunnel's headers around it is no longer: beyond are jumbo frames and what a
network card merged.
"""
CLOCK_JUMP_NS = 3_600 * NS
"""A frame further ahead of packet time than this, which the next frame does not confirm, is quarantined."""
CLOCK_AHEAD_NS = 86_400 * NS
"""A frame further ahead of the wall clock than this is quarantined: no time zone or late clock explains a day."""
BLOCK_BYTES_MAX = FRAME_BYTES_MAX + 65_536
"""The longest pcapng block that holds a packet or an interface: a frame and 64 KiB of options. Others are skipped at
any length.
"""
INTERFACES_MAX = 4_096
"""Interfaces described in one pcapng section: merged captures have dozens."""
INPUTS_OPEN_MAX = 256
"""Captures that overlap in time and are therefore read at once: 1 MiB of buffer each."""
INPUT_BUFFER_BYTES = 1 << 20
"""Read buffer of one of several inputs: room for two of the longest blocks, and no more, as there may be hundreds."""
INPUT_ROWS = 4_096
"""Frames indexed at a time of one of several inputs."""
PIPE_BYTES = 1 << 20
"""What a pipe may hold (Linux lets everybody have as much): with its usual 64 KiB a block is eighty packets at most."""
SHORT_READ_BYTES = 16_384
"""Read of each of several files to learn when it begins, until its first frame is there."""
COMPRESSED_READ_BYTES = 65_536
"""Compressed bytes read at a time."""
DECODED_STEP_BYTES = 32_768
"""Plain bytes decompressed in one call: what is lost before the place where a compressed stream is damaged."""
DECODER_WINDOW_BYTES = 128 << 20
"""Memory a decompressor may take: xz -9 needs 65 MB; zstd --long=31 would need 2 GB and is refused."""
CLOCK_STEP_NS = NS
"""A machine's clock that moved by more than this against its own steady one was set, not slewed."""
LIVE_WAIT_SECONDS = 0.1
"""How long a live capture waits for packets before it tells that time went on, and looks whether it is to stop."""
CONNECT_TIMEOUT_SECONDS = 10
"""A capture server that does not answer by then is reported."""

# --- decode --------------------------------------------------------------------------------------------------------
LAYERS_MAX = 24
"""Headers walked in one frame: nested tunnels of real networks need about 12."""
IPV6_EXTENSIONS_MAX = 8
"""Extension headers of one IPv6 packet: real ones have two or three, longer chains are meant to hide what follows."""
DATAGRAMS_MAX = 256
"""Fragmented IP datagrams being rebuilt at a time, 64 KiB each: 16 MB when all are touched; the oldest gives way."""
DATAGRAM_BYTES = 65_536
"""The longest IP datagram that can be fragmented."""
DATAGRAM_SECONDS = 30
"""What Linux waits for the rest of a datagram (ipfrag_time)."""

# --- reassembly ----------------------------------------------------------------------------------------------------
FLOWS_MAX = 131_072
"""Concurrent flows; about 900 bytes each once HTTP runs on them, 118 MB when full."""
PAGE_BYTES = 2_048
"""Out-of-order payload waits in pages of this size: one Ethernet segment fits in one."""
PAGES_MAX = 16_384
"""32 MB of waiting out-of-order payload over all streams."""
RECENT_PACKETS = 65_536
"""Packets among which a double is looked for, 48 bytes each: 65 ms of a million packets a second."""
PATHS_MAX = 16
"""Flows with equal addresses and ports in different VLANs and tunnels; beyond it they are one, and that is counted."""
STREAM_PAGES_MAX = 512
"""1 MB of waiting payload per stream: more than a usual receive window in flight, so a hole behind it is a loss."""

# --- protocols -----------------------------------------------------------------------------------------------------
HEAD_BYTES_MAX = 65_536
"""A message head larger than this is an anomaly; servers stop at 8 to 64 KiB."""
STRINGS_MAX = 131_072
"""Distinct strings alive in the pool (hosts, agents, URIs of the current batches)."""
STRING_BYTES_MAX = 32 << 20
"""Bytes of all pooled strings together."""
TRANSACTIONS_OPEN_MAX = 131_072
"""Requests and responses in flight over all connections: one on each of FLOWS_MAX."""
HTTP2_CONNECTIONS_MAX = 4_096
"""HTTP/2 connections at a time: they are few and long-lived; 14 KB each with both header tables full, 57 MB in all."""
HTTP2_STREAMS_MAX = 16_384
"""HTTP/2 streams in flight over all connections, about 450 bytes each."""
HTTP2_LARGE_TABLES_MAX = 64
"""Header tables larger than 4 KiB at a time, 96 KiB each: browsers ask for them, and do not speak in clear."""
BODY_BYTES_MAX = 65_536
"""The most of one body that can be kept for detectors: larger ones are files, and each kept byte is copied."""
DECODED_BYTES = 4 << 20
"""Bodies of a part whose content coding was undone; what has no room begins a part of its own."""
RECORD_BYTES = 32_768
"""Decoded bytes of a JSON body in which records are counted; beyond, they go in proportion to the coded bytes."""
RECORD_CODED_BYTES = 8_192
"""Coded bytes of it that are kept for that."""
BOMB_RATIO = 200
"""Plain bytes for a coded one at which a body is looked into further: JSON and text stay below 50."""
BOMB_BYTES = 8 << 20
"""A body that would decode to so much at such a ratio is meant to."""
FRESH_BYTES = 16 << 20
"""Heads and bodies of messages that began in the present batch: about what a batch of large ones has."""
EXTENTS = (24_576, 8_192, 2_048, 256, 96)
"""Pieces of 512 bytes, 2, 8, 32 and 128 KiB (a head and a body of the largest size) for messages whose transaction
stays open behind the end of a batch: 64 MB when all are touched, of which ordinary traffic touches a hundredth.
"""

# --- features ------------------------------------------------------------------------------------------------------
CLIENTS_MAX = 65_536
"""Client addresses known at a time; about 70 bytes each, 4.5 MB when full."""
IDENTITIES_MAX = 65_536
"""Accounts, credentials and clients known at a time; as large."""
ENDPOINTS_MAX = 8_192
"""Endpoints that a server was seen to have: large APIs have some hundreds."""
SERVERS_MAX = 4_096
"""Servers with their ports."""
IDENTITY_ENDPOINTS_MAX = 131_072
"""(identity, endpoint) pairs known at a time; 9 MB when full, besides what detectors keep of each."""
CREDENTIALS_MAX = 65_536
"""Opaque credentials whose account is known; about 80 bytes each."""

# --- detection and alerting ----------------------------------------------------------------------------------------
SCAN_PAIRS_MAX = 16_384
"""(client, host) and as many (client, port) pairs with failed attempts; about 500 bytes each, 16 MB when both are full.
"""
LOGIN_ENTITIES_MAX = 16_384
"""Clients and as many accounts with failed logins; about 200 bytes each."""
LOGIN_RECORDS_MAX = 8_192
"""Clients, kinds of software and endpoints with logins; about 620 bytes each, 5 MB when full."""
SESSIONS_MAX = 65_536
"""Credentials of which is known where they are used; about 210 bytes each, 14 MB when full."""
PLACES_CACHED = 4_096
"""Addresses whose place is remembered; about 300 bytes each."""
ACCESSES_MAX = 16_384
"""Pairs of endpoint and role of which is known who uses them; about 110 bytes each."""
COHORTS_MAX = 8_192
"""Pairs of endpoint and role whose holders are compared; about 170 bytes each."""
BULK_PAIRS_MAX = 32_768
"""(client, endpoint) pairs with answers; about 850 bytes each, 28 MB when full."""
BULK_ENDPOINTS_MAX = 4_096
"""Endpoints and servers, with two histograms each; about 1.6 KB each."""
COVERAGE_CELLS_MAX = 20_000
"""(identity, endpoint) pairs whose objects are told apart; about 2.4 KB each, 48 MB when all are in use."""
INJECTION_CASES_MAX = 16_384
"""(client, rule) pairs with injection attempts; about 300 bytes each, 5 MB when full."""
SIGMA_HITS_MAX = 100_000
"""Places in one column's texts of a batch at which a literal of a Sigma rule ends; a scan stops there, counted."""
SIGMA_GROUPS_MAX = 65_536
"""Groups of one correlation (clients, users ...) watched at a time; the one quiet for longest gives way, counted."""
SIGMA_EVENTS_MAX = 10_000
"""Matches remembered of one group within a correlation's time span; beyond it the oldest are forgotten, counted."""
HITS_MAX = 1_024
"""Verdicts a kernel gives back at once; it resumes where it stopped when there are more."""
ALERTS_OPEN_MAX = 8_192
"""Alerts open at once, about 2 KB each."""

ALERTS_TOLD_BYTES_MAX = 64 << 20
"""Alerts that a run over files has told and would tell again when it is resumed: about 60,000 revisions."""

# --- bus -----------------------------------------------------------------------------------------------------------
ALERT_BYTES_MAX = 1 << 20
"""One message of the alert stream; alerts are about 1 KB, and no peer may make the other hold more than this."""
SUBSCRIPTION_BYTES_MAX = 1_024
"""The longest message a subscriber may send: a subscription is a topic of at most about 100 bytes."""
SEND_QUEUE_ALERTS = 10_000
"""Alerts queued for each slow subscriber, about 10 MB; the queues share the messages."""
RECEIVE_QUEUE_ALERTS = 10_000
"""Alerts queued in a subscriber's process while its own code is busy."""
STREAMS_MAX = 1_024
"""(sensor, epoch) pairs whose sequence a subscriber follows; the one heard longest ago is forgotten beyond it."""
GAPS_MAX = 1_000
"""Gaps a subscriber remembers one by one; the count of missed alerts goes on beyond it."""
MEMORY_LOG_ALERTS = 10_000
"""Alerts that a run without a journal keeps to be asked for again."""
MEMORY_LOG_BYTES = 32 << 20
"""Bytes of these alerts."""
STREAM_QUEUE_ALERTS = 10_000
"""Alerts between the pipeline and the journal: seconds of the worst storm. A file waits then, a live sensor sheds."""
TABLES_QUEUED = 64
"""Batches of transactions or flows that wait to be published, under 1 MiB each; the oldest give way."""
COMMIT_ALERTS = 1_000
"""Alerts written with one wait for the disk, at most: more would only delay the first of them."""
REPLY_RECORDS = 500
"""Alerts in one reply of the replay socket."""
REPLY_BYTES = 262_144
"""Bytes of one reply, roughly: a peer asks again for more, and never makes the sensor hold more than a few."""
REPLIES_QUEUED = 4
"""Replies that wait for a peer that does not read; further ones are dropped."""
REQUEST_BYTES_MAX = 8_192
"""The longest request: 64 topics of 100 bytes."""
REQUESTS_PER_SECOND = 200
"""Requests of one peer that are answered: 100,000 alerts a second."""
PEERS_MAX = 256
"""Subscribers whose progress is followed; the one heard longest ago is forgotten."""
SUBSCRIPTIONS_MAX = 64
"""Subscriptions of one connection: one that asks for more is hung up on."""
HANDSHAKE_SECONDS = 10
"""A peer that connects and does not say who it is is hung up on."""
JOURNAL_UNWRITTEN_MAX = 10_000
"""Alerts that wait in memory while the journal's disk fails; the oldest is given up and counted beyond it."""
JOURNAL_UNWRITTEN_BYTES = 64 << 20
"""Bytes of these alerts: 10,000 ordinary ones take 10 MB."""
JOURNAL_SCAN_BYTES = 8 << 20
"""Bytes of the journal read for one question of a subscriber: a segment, a few milliseconds."""

# --- export --------------------------------------------------------------------------------------------------------
ROW_BYTES_HELD_MAX = 16 << 20
"""Records of one table that are held back, to leave in order: 51,150 transactions, 25,266 flows with both streams."""
TEXT_BYTES_HELD_MAX = 64 << 20
"""Bytes of text that the rows held back may have: ordinary rows reach ROW_BYTES_HELD_MAX with a quarter of it."""
