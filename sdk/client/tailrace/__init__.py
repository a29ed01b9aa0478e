"""The Python client of Tailrace: run Docker images on a machine of your own, watch them, and fetch what they leave.

import tailrace

client = tailrace.Client()
handle = client.run("busybox:local", ["echo", "hello"])
for line in handle.logs(follow=True):
    print(line)
handle.wait(check=True)
"""

from __future__ import annotations

from tailrace._aio.batches import AsyncBatch, AsyncBatches
from tailrace._aio.client import AsyncClient
from tailrace._aio.files import AsyncFiles
from tailrace._aio.handle import AsyncHandle
from tailrace._aio.outputs import AsyncOutputs
from tailrace._aio.resources import (
    AsyncAudit,
    AsyncMethods,
    AsyncNotifications,
    AsyncOwnerQuotas,
    AsyncPools,
    AsyncSchedules,
    AsyncSecrets,
    AsyncTokens,
    AsyncTriggers,
    AsyncWebhooks,
    AsyncWorkers,
    AuditFilters,
)
from tailrace._config import Config, config_path
from tailrace._document import Document
from tailrace._errors import (
    ApiError,
    BadRequest,
    ConfigError,
    Conflict,
    ConnectionFailed,
    ExecutionFailed,
    Forbidden,
    Invalid,
    NotFound,
    NotTailrace,
    ServerError,
    TailraceError,
    TailraceWarning,
    TooMany,
    Unauthorized,
    WaitTimeout,
)
from tailrace._lines import Gap, Line
from tailrace._nouns import (
    AuditEntry,
    BatchProgress,
    BatchRecord,
    Change,
    Delivery,
    File,
    Firing,
    Happening,
    Me,
    Message,
    Method,
    MethodVersion,
    Notification,
    OwnerQuota,
    Pool,
    Quota,
    Quotas,
    Schedule,
    Secret,
    Share,
    Token,
    Trigger,
    Webhook,
    Worker,
)
from tailrace._pages import AsyncPages, Pages
from tailrace._plots import Plot
from tailrace._records import (
    Attempt,
    Event,
    Lineage,
    LogSummary,
    OutputFile,
    OutputsSummary,
    Pause,
    Progress,
    Record,
    Stop,
    UsedMethod,
)
from tailrace._status import Status
from tailrace._submission import Filters, Limits, Options
from tailrace._sync.batch import Batch
from tailrace._sync.client import Client
from tailrace._sync.handle import Handle
from tailrace._sync.outputs import Outputs
from tailrace._sync.resources import (
    Audit,
    Batches,
    Files,
    Methods,
    Notifications,
    OwnerQuotas,
    Pools,
    Schedules,
    Secrets,
    Tokens,
    Triggers,
    Webhooks,
    Workers,
)
from tailrace._version import VERSION

__version__ = VERSION

__all__ = [
    "ApiError",
    "AsyncAudit",
    "AsyncBatch",
    "AsyncBatches",
    "AsyncClient",
    "AsyncFiles",
    "AsyncHandle",
    "AsyncMethods",
    "AsyncNotifications",
    "AsyncOutputs",
    "AsyncOwnerQuotas",
    "AsyncPages",
    "AsyncPools",
    "AsyncSchedules",
    "AsyncSecrets",
    "AsyncTokens",
    "AsyncTriggers",
    "AsyncWebhooks",
    "AsyncWorkers",
    "Attempt",
    "Audit",
    "AuditEntry",
    "AuditFilters",
    "BadRequest",
    "Batch",
    "BatchProgress",
    "BatchRecord",
    "Batches",
    "Change",
    "Client",
    "Config",
    "ConfigError",
    "Conflict",
    "ConnectionFailed",
    "Delivery",
    "Document",
    "Event",
    "ExecutionFailed",
    "File",
    "Files",
    "Filters",
    "Firing",
    "Forbidden",
    "Gap",
    "Handle",
    "Happening",
    "Invalid",
    "Limits",
    "Line",
    "Lineage",
    "LogSummary",
    "Me",
    "Message",
    "Method",
    "MethodVersion",
    "Methods",
    "NotFound",
    "NotTailrace",
    "Notification",
    "Notifications",
    "Options",
    "OutputFile",
    "Outputs",
    "OutputsSummary",
    "OwnerQuota",
    "OwnerQuotas",
    "Pages",
    "Pause",
    "Plot",
    "Pool",
    "Pools",
    "Progress",
    "Quota",
    "Quotas",
    "Record",
    "Schedule",
    "Schedules",
    "Secret",
    "Secrets",
    "ServerError",
    "Share",
    "Status",
    "Stop",
    "TailraceError",
    "TailraceWarning",
    "Token",
    "Tokens",
    "TooMany",
    "Trigger",
    "Triggers",
    "Unauthorized",
    "UsedMethod",
    "WaitTimeout",
    "Webhook",
    "Webhooks",
    "Worker",
    "Workers",
    "__version__",
    "config_path",
]
