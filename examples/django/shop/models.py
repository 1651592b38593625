from django.db import models


class Invoice(models.Model):
    number = models.IntegerField(unique=True)
    paid = models.BooleanField(default=False)
