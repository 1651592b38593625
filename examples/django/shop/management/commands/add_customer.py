from django.core.management.base import BaseCommand

from webhook_engine import SyncEngine
from webhook_engine.integrations.django.configuration import configuration


class Command(BaseCommand):
    help = "Add a customer with an endpoint, while the engine does not run; prints the secret that it verifies with."

    def add_arguments(self, parser):
        parser.add_argument("uid")
        parser.add_argument("url")

    def handle(self, *, uid, url, **_):
        with SyncEngine(configuration()) as engine:
            engine.applications.get_or_create(name=uid, uid=uid)
            endpoint = engine.endpoints.create(uid, url=url)
            self.stdout.write(engine.endpoints.get_secret(uid, endpoint.id))
