"""What Flask alone, under gunicorn, does with the requests that the benchmark of runtimes sends."""

import json
import os

import redis
from flask import Flask, jsonify, request

app = Flask(__name__)
client = redis.Redis.from_url(os.environ["REDIS_URL"])
FAULTS = [
    {"field": field.lower(), "message": f"{field} is required", "code": "REQUIRED_FIELD"}
    for field in ("Email", "Password", "Name")
]


@app.post("/actions/register-user")
def register_user():
    request.get_json()["input"]
    return jsonify(
        success=False, user=None, message="Validation failed", errors=FAULTS, error_code="VALIDATION_ERROR"
    )


@app.post("/actions/cached-user")
def cached_user():
    request.get_json()["input"]
    return jsonify(json.loads(client.get("bench:user")))
