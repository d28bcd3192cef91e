"""The detectors that ship: to add one, add its file, its slice of DetectionSettings of the same name, and its line
here.
"""

from sensor.detection.detectors.account_changes import AccountChanges
from sensor.detection.detectors.account_probing import AccountProbing
from sensor.detection.detectors.anomaly import Anomaly
from sensor.detection.detectors.beaconing import Beaconing
from sensor.detection.detectors.bulk_transfer import BulkTransfer
from sensor.detection.detectors.cleartext import Cleartext
from sensor.detection.detectors.concurrent_sessions import ConcurrentSessions
from sensor.detection.detectors.dns_tunnel import DnsTunnel
from sensor.detection.detectors.error_probing import ErrorProbing
from sensor.detection.detectors.error_spike import ErrorSpike
from sensor.detection.detectors.exposed import Exposed
from sensor.detection.detectors.failed_logins import FailedLogins
from sensor.detection.detectors.hidden_clients import HiddenClients
from sensor.detection.detectors.honeytokens import Honeytokens
from sensor.detection.detectors.injection import Injection
from sensor.detection.detectors.login_attacks import LoginAttacks
from sensor.detection.detectors.method_probing import MethodProbing
from sensor.detection.detectors.never_given import NeverGiven
from sensor.detection.detectors.novel_paths import NovelPaths
from sensor.detection.detectors.object_enumeration import ObjectEnumeration
from sensor.detection.detectors.off_hours import OffHours
from sensor.detection.detectors.outside_uploads import OutsideUploads
from sensor.detection.detectors.page_walks import PageWalks
from sensor.detection.detectors.parameter_probing import ParameterProbing
from sensor.detection.detectors.ping_sweep import PingSweep
from sensor.detection.detectors.port_scan import PortScan
from sensor.detection.detectors.privilege_abuse import PrivilegeAbuse
from sensor.detection.detectors.random_domains import RandomDomains
from sensor.detection.detectors.request_rate import RequestRate
from sensor.detection.detectors.response_times import ResponseTimes
from sensor.detection.detectors.role_volumes import RoleVolumes
from sensor.detection.detectors.segmentation import Segmentation
from sensor.detection.detectors.sensitive_data import SensitiveData
from sensor.detection.detectors.sigma import Sigma
from sensor.detection.detectors.signatures import Signatures
from sensor.detection.detectors.slow_exfiltration import SlowExfiltration
from sensor.detection.detectors.slow_requests import SlowRequests
from sensor.detection.detectors.slow_scan import SlowScan
from sensor.detection.detectors.third_parties import ThirdParties
from sensor.detection.detectors.threat_intel import ThreatIntel
from sensor.detection.detectors.tls_probing import TlsProbing
from sensor.detection.detectors.token_abuse import TokenAbuse
from sensor.detection.detectors.token_guessing import TokenGuessing
from sensor.detection.detectors.unusual_exports import UnusualExports
from sensor.detection.detectors.verification import Verification
from sensor.detection.detectors.vhost_probing import VhostProbing
from sensor.detection.detectors.weak_tls import WeakTls
from sensor.detection.detectors.web_scan import WebScan

DETECTORS = {
    "port_scan": PortScan,
    "slow_scan": SlowScan,
    "login_attacks": LoginAttacks,
    "object_enumeration": ObjectEnumeration,
    "never_given": NeverGiven,
    "account_changes": AccountChanges,
    "privilege_abuse": PrivilegeAbuse,
    "token_abuse": TokenAbuse,
    "token_guessing": TokenGuessing,
    "concurrent_sessions": ConcurrentSessions,
    "failed_logins": FailedLogins,
    "bulk_transfer": BulkTransfer,
    "role_volumes": RoleVolumes,
    "slow_exfiltration": SlowExfiltration,
    "injection": Injection,
    "signatures": Signatures,
    "sigma": Sigma,
    "web_scan": WebScan,
    "vhost_probing": VhostProbing,
    "method_probing": MethodProbing,
    "error_probing": ErrorProbing,
    "account_probing": AccountProbing,
    "novel_paths": NovelPaths,
    "parameter_probing": ParameterProbing,
    "ping_sweep": PingSweep,
    "tls_probing": TlsProbing,
    "error_spike": ErrorSpike,
    "response_times": ResponseTimes,
    "beaconing": Beaconing,
    "request_rate": RequestRate,
    "slow_requests": SlowRequests,
    "outside_uploads": OutsideUploads,
    "dns_tunnel": DnsTunnel,
    "random_domains": RandomDomains,
    "off_hours": OffHours,
    "unusual_exports": UnusualExports,
    "page_walks": PageWalks,
    "anomaly": Anomaly,
    "cleartext": Cleartext,
    "weak_tls": WeakTls,
    "exposed": Exposed,
    "hidden_clients": HiddenClients,
    "sensitive_data": SensitiveData,
    "honeytokens": Honeytokens,
    "threat_intel": ThreatIntel,
    "segmentation": Segmentation,
    "verification": Verification,
    "third_parties": ThirdParties,
}
"""Detector by the name of its settings."""
