"""The settings of the small Django project with the admin; where the engine is, SHOP_API or SHOP_ENGINE tells."""

import os

from shop_settings import *  # noqa: F403
from shop_settings import INSTALLED_APPS, WEBHOOK_ENGINE

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    *INSTALLED_APPS,
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
ROOT_URLCONF = "shop_admin_urls"
STATIC_URL = "static/"
DEBUG = True  # so that runserver has the styles of the admin
for _key, _variable in (("API", "SHOP_API"), ("ENGINE", "SHOP_ENGINE")):
    if _variable in os.environ:
        WEBHOOK_ENGINE = {**WEBHOOK_ENGINE, _key: os.environ[_variable]}
