"""A shop with Django: the outbox is in Django's database, the engine is a command, and the admin shows what it does.

    pip install 'webhook-engine[django]'
    python manage.py migrate
    python manage.py add_customer acme https://example.com/hooks
    python manage.py createsuperuser
    python manage.py webhook_engine --listen 127.0.0.1:8071 &
    python manage.py runserver
    curl -X POST '127.0.0.1:8000/invoices/1/pay?customer=acme'

The admin is at http://127.0.0.1:8000/admin/.
"""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("SHOP_FOLDER", "."))
ENGINE_API = os.environ.get("SHOP_ENGINE_API", "http://127.0.0.1:8071")

SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "only to try it")
DEBUG = True  # only to try it
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
STATIC_URL = "static/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "webhook_engine.integrations.django",
    "shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "shop.db",
        "OPTIONS": {"timeout": 20},
    }
}

WEBHOOK_ENGINE = {
    "DATABASE": FOLDER / "webhooks.db",
    "SETTINGS": {"allow_subnets": ["127.0.0.1/32"]},  # only to try it with a receiver on this machine
    "API": ENGINE_API,  # for the admin
}
