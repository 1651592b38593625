"""The settings of a small Django project for the tests; the directory of its databases is in SHOP_DIRECTORY."""

import os
from pathlib import Path

DIRECTORY = Path(os.environ["SHOP_DIRECTORY"])
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["webhook_engine.integrations.django", "shop_app.ShopConfig"]
MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
ROOT_URLCONF = "shop_urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY / "shop.db"}}
WEBHOOK_ENGINE = {"DATABASE": DIRECTORY / "webhooks.db", "SETTINGS": {"allow_subnets": ["127.0.0.1/32"]}}
USE_TZ = True
