"""Every setting, with its default and unit. A stage is built from its slice; nothing else reads settings.

Unknown keys and wrong values are errors that name the key and what was expected.
"""

from __future__ import annotations

import msgspec

from sensor.config.accounts import (
    AccountChangesSettings,
    ConcurrentSessionsSettings,
    FailedLoginsSettings,
    LoginAttacksSettings,
    NeverGivenSettings,
    ObjectEnumerationSettings,
    PrivilegeAbuseSettings,
    TokenAbuseSettings,
    TokenGuessingSettings,
)
from sensor.config.collector import (
    ActionSettings,
    ChannelSettings,
    CollectorSettings,
    ResponseSettings,
    RouteSettings,
)
from sensor.config.detectors import (
    BeaconingSettings,
    DetectionSettings,
    ErrorSpikeSettings,
    InjectionSettings,
    PortScanSettings,
    ResponseTimesSettings,
    SigmaSettings,
    SignatureSettings,
    SlowRequestsSettings,
    SlowScanSettings,
    VhostProbingSettings,
    WebScanSettings,
)
from sensor.config.evidence import EvidenceSettings
from sensor.config.exposure import (
    CleartextSettings,
    ExposedSettings,
    HiddenClientsSettings,
    HoneytokensSettings,
    SensitiveDataSettings,
    WeakTlsSettings,
)
from sensor.config.intel import FeedSettings, ThreatIntelSettings
from sensor.config.investigation import InvestigationSettings
from sensor.config.outer import (
    AlertingSettings,
    BusSettings,
    JournalSettings,
    OutputSettings,
    OverloadSettings,
    ServiceSettings,
    StateSettings,
)
from sensor.config.probing import (
    AccountProbingSettings,
    ErrorProbingSettings,
    MethodProbingSettings,
    NovelPathsSettings,
    ParameterProbingSettings,
    PingSweepSettings,
    TlsProbingSettings,
)
from sensor.config.segmentation import SegmentationSettings
from sensor.config.sinks import SinkSettings
from sensor.config.stages import (
    CaptureSettings,
    DecodeSettings,
    FeatureSettings,
    ProtocolSettings,
    ReassemblySettings,
    WorkerSettings,
)
from sensor.config.verification import ThirdPartiesSettings, VerificationSettings
from sensor.config.volumes import (
    AnomalySettings,
    BulkTransferSettings,
    DnsTunnelSettings,
    OffHoursSettings,
    OutsideUploadsSettings,
    PageWalksSettings,
    RandomDomainsSettings,
    RequestRateSettings,
    RoleVolumesSettings,
    SlowExfiltrationSettings,
    UnusualExportsSettings,
)

__all__ = [
    "AccountChangesSettings",
    "AccountProbingSettings",
    "ActionSettings",
    "AlertingSettings",
    "AnomalySettings",
    "BeaconingSettings",
    "BulkTransferSettings",
    "BusSettings",
    "CaptureSettings",
    "ChannelSettings",
    "CleartextSettings",
    "CollectorSettings",
    "ConcurrentSessionsSettings",
    "DecodeSettings",
    "DetectionSettings",
    "DnsTunnelSettings",
    "ErrorProbingSettings",
    "ErrorSpikeSettings",
    "EvidenceSettings",
    "ExposedSettings",
    "FailedLoginsSettings",
    "FeatureSettings",
    "FeedSettings",
    "HiddenClientsSettings",
    "HoneytokensSettings",
    "InjectionSettings",
    "InvestigationSettings",
    "JournalSettings",
    "LoginAttacksSettings",
    "MethodProbingSettings",
    "NeverGivenSettings",
    "NovelPathsSettings",
    "ObjectEnumerationSettings",
    "OffHoursSettings",
    "OutputSettings",
    "OutsideUploadsSettings",
    "OverloadSettings",
    "PageWalksSettings",
    "ParameterProbingSettings",
    "PingSweepSettings",
    "PortScanSettings",
    "PrivilegeAbuseSettings",
    "ProtocolSettings",
    "RandomDomainsSettings",
    "ReassemblySettings",
    "RequestRateSettings",
    "ResponseSettings",
    "ResponseTimesSettings",
    "RoleVolumesSettings",
    "RouteSettings",
    "SegmentationSettings",
    "SensitiveDataSettings",
    "ServiceSettings",
    "Settings",
    "SigmaSettings",
    "SignatureSettings",
    "SinkSettings",
    "SlowExfiltrationSettings",
    "SlowRequestsSettings",
    "SlowScanSettings",
    "StateSettings",
    "ThirdPartiesSettings",
    "ThreatIntelSettings",
    "TlsProbingSettings",
    "TokenAbuseSettings",
    "TokenGuessingSettings",
    "UnusualExportsSettings",
    "VerificationSettings",
    "VhostProbingSettings",
    "WeakTlsSettings",
    "WebScanSettings",
    "WorkerSettings",
]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    capture: CaptureSettings = CaptureSettings()
    workers: WorkerSettings = WorkerSettings()
    decode: DecodeSettings = DecodeSettings()
    reassembly: ReassemblySettings = ReassemblySettings()
    protocols: ProtocolSettings = ProtocolSettings()
    features: FeatureSettings = FeatureSettings()
    detection: DetectionSettings = DetectionSettings()
    alerting: AlertingSettings = AlertingSettings()
    state: StateSettings = StateSettings()
    journal: JournalSettings = JournalSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    outputs: OutputSettings = OutputSettings()
    service: ServiceSettings = ServiceSettings()
    overload: OverloadSettings = OverloadSettings()
    bus: BusSettings = BusSettings()
    collector: CollectorSettings = CollectorSettings()
