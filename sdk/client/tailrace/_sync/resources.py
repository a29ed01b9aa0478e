"""The smaller resources, for who has no event loop."""

from __future__ import annotations

from tailrace._aio.batches import AsyncBatches
from tailrace._aio.files import AsyncFiles
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
)
from tailrace._pages import Pages
from tailrace._portal import Facade, blocking, passing
from tailrace._sync.batch import Batch


class Batches(Facade[AsyncBatches]):
    """All batches."""

    list = passing(AsyncBatches.list, Pages)
    get = blocking(AsyncBatches.get, Batch)
    submit = blocking(AsyncBatches.submit, Batch)


class Files(Facade[AsyncFiles]):
    """Files that were uploaded, for `files=` of submissions: `run(…, files={"a.csv": files.upload("a.csv")})`."""

    list = passing(AsyncFiles.list, Pages)
    get = blocking(AsyncFiles.get)
    upload = blocking(AsyncFiles.upload)
    read = blocking(AsyncFiles.read)
    download = blocking(AsyncFiles.download)
    preview = blocking(AsyncFiles.preview)
    delete = blocking(AsyncFiles.delete)


class Methods(Facade[AsyncMethods]):
    """Named and versioned templates of executions (docs/methods.md): `methods.load(Path("a.yaml"), publish=True)`."""

    list = passing(AsyncMethods.list, Pages)
    get = blocking(AsyncMethods.get)
    create = blocking(AsyncMethods.create)
    update = blocking(AsyncMethods.update)
    delete = blocking(AsyncMethods.delete)
    version = blocking(AsyncMethods.version)
    load = blocking(AsyncMethods.load)
    export = blocking(AsyncMethods.export)
    new_version = blocking(AsyncMethods.new_version)
    change = blocking(AsyncMethods.change)
    publish = blocking(AsyncMethods.publish)
    retire = blocking(AsyncMethods.retire)
    restore = blocking(AsyncMethods.restore)
    clone = blocking(AsyncMethods.clone)
    diff = blocking(AsyncMethods.diff)
    disable = blocking(AsyncMethods.disable)
    enable = blocking(AsyncMethods.enable)
    delete_version = blocking(AsyncMethods.delete_version)


class Schedules(Facade[AsyncSchedules]):
    """What is submitted again and again: docs/schedules.md.

    `schedules.create(name="nightly", rule={"cron": "30 2 * * *"}, targets=[{"execution": {"image": "busybox"}}])`
    """

    list = passing(AsyncSchedules.list, Pages)
    get = blocking(AsyncSchedules.get)
    create = blocking(AsyncSchedules.create)
    update = blocking(AsyncSchedules.update)
    delete = blocking(AsyncSchedules.delete)
    pause = blocking(AsyncSchedules.pause)
    resume = blocking(AsyncSchedules.resume)
    fire = blocking(AsyncSchedules.fire)
    firings = passing(AsyncSchedules.firings, Pages)
    preview = blocking(AsyncSchedules.preview)
    upcoming = blocking(AsyncSchedules.upcoming)


class Triggers(Facade[AsyncTriggers]):
    """Addresses to which others post, and something runs: docs/triggers.md.

    `triggers.create(name="on push", target={"execution": {"image": "busybox"}})`
    """

    list = passing(AsyncTriggers.list, Pages)
    get = blocking(AsyncTriggers.get)
    create = blocking(AsyncTriggers.create)
    update = blocking(AsyncTriggers.update)
    delete = blocking(AsyncTriggers.delete)
    rotate = blocking(AsyncTriggers.rotate)
    deliveries = passing(AsyncTriggers.deliveries, Pages)


class Tokens(Facade[AsyncTokens]):
    """Who may do what (docs/access.md): `tokens.create(name="nightly", scopes=["read", "submit"])`."""

    list = passing(AsyncTokens.list, Pages)
    get = blocking(AsyncTokens.get)
    create = blocking(AsyncTokens.create)
    delete = blocking(AsyncTokens.delete)


class Webhooks(Facade[AsyncWebhooks]):
    """Servers that are told what happens (docs/webhooks.md): `webhooks.create(url="https://example.com/done")`."""

    list = passing(AsyncWebhooks.list, Pages)
    get = blocking(AsyncWebhooks.get)
    create = blocking(AsyncWebhooks.create)
    update = blocking(AsyncWebhooks.update)
    delete = blocking(AsyncWebhooks.delete)
    ping = blocking(AsyncWebhooks.ping)
    rotate = blocking(AsyncWebhooks.rotate)
    deliveries = passing(AsyncWebhooks.deliveries, Pages)
    redeliver = blocking(AsyncWebhooks.redeliver)
    message = blocking(AsyncWebhooks.message)


class Notifications(Facade[AsyncNotifications]):
    """Rules that say to whom it is told how executions end: docs/webhooks.md."""

    list = passing(AsyncNotifications.list, Pages)
    get = blocking(AsyncNotifications.get)
    create = blocking(AsyncNotifications.create)
    update = blocking(AsyncNotifications.update)
    delete = blocking(AsyncNotifications.delete)
    test = blocking(AsyncNotifications.test)
    log = passing(AsyncNotifications.log, Pages)


class OwnerQuotas(Facade[AsyncOwnerQuotas]):
    """What owners may have. To see or set those of others takes the scope `admin`."""

    list = passing(AsyncOwnerQuotas.list, Pages)
    get = blocking(AsyncOwnerQuotas.get)
    set = blocking(AsyncOwnerQuotas.set)
    delete = blocking(AsyncOwnerQuotas.delete)


class Audit(Facade[AsyncAudit]):
    """Who did what (docs/audit.md): `audit.list(action="cancel_execution")`."""

    list = passing(AsyncAudit.list, Pages)
    export = blocking(AsyncAudit.export)


class Pools(Facade[AsyncPools]):
    """Named groups of workers: `pools.create(name="gpu", max_running=2)`. To change them takes the scope `admin`."""

    list = passing(AsyncPools.list, Pages)
    get = blocking(AsyncPools.get)
    create = blocking(AsyncPools.create)
    update = blocking(AsyncPools.update)
    delete = blocking(AsyncPools.delete)


class Workers(Facade[AsyncWorkers]):
    """The processes that run containers: docs/worker.md."""

    list = passing(AsyncWorkers.list, Pages)
    pause = blocking(AsyncWorkers.pause)
    drain = blocking(AsyncWorkers.drain)
    resume = blocking(AsyncWorkers.resume)


class Secrets(Facade[AsyncSecrets]):
    """Secrets under names of your own, for `named_secrets=` of submissions: `secrets.put("hub-token", "…")`."""

    list = passing(AsyncSecrets.list, Pages)
    put = blocking(AsyncSecrets.put)
    delete = blocking(AsyncSecrets.delete)
