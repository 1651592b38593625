from django.contrib import admin
from django.urls import path

from shop.views import pay

urlpatterns = [path("admin/", admin.site.urls), path("invoices/<int:number>/pay", pay)]
