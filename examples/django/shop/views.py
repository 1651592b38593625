from django.db import transaction
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from shop.models import Invoice
from webhook_engine.integrations.django import enqueue


@csrf_exempt  # only so that it can be tried with curl
@require_POST
def pay(request, number):
    with transaction.atomic():
        Invoice.objects.update_or_create(number=number, defaults={"paid": True})
        message = enqueue(application=request.GET["customer"], event_type="invoice.paid", payload={"number": number})
    return JsonResponse({"message": message})
