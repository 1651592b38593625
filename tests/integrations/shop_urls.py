"""The views of the small Django project: one that sends, one that receives, and one that any sender would fail at."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from webhook_engine import Webhook
from webhook_engine.integrations.django import aenqueue, enqueue, verify_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@csrf_exempt
def pay(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        message_id = enqueue(application="acme", event_type="invoice.paid", payload={"id": 1})
        if "fail" in request.GET:
            transaction.set_rollback(True)
    return JsonResponse({"id": message_id})


async def apay(request: HttpRequest) -> HttpResponse:
    send = enqueue if "wrongly" in request.GET else aenqueue
    return JsonResponse({"id": await send(application="acme", event_type="invoice.paid", payload={"id": 2})})


@verify_webhook(Webhook(SECRET))
def hook(request: HttpRequest) -> HttpResponse:
    return JsonResponse(request.webhook_body)


def guarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [path("pay", pay), path("apay", apay), path("hooks", hook), path("guarded", guarded)]
