"""A Faust worker with the agents alone, as a process of its own: `python agents_worker.py`, settings by environment."""

from __future__ import annotations

import faust

from infra import kafka, redis
from infra.clock import SystemClock
from infra.settings import load
from streams.agents import make_agents, register
from streams.app import make_app
from streams.publisher import KafkaPublisher

settings = load()
app = make_app(settings, [], "test")
online = redis.connect(settings.online_redis_url)
publisher = KafkaPublisher(kafka.producer(settings))
register(app, settings, online, make_agents(settings, online), publisher, SystemClock())
faust.Worker(app, loglevel="INFO", redirect_stdouts=False).execute_from_commandline()
