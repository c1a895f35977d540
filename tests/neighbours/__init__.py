"""Real neighbours for tests: Apache Kafka and Redis as local processes or containers, else the embedded pair."""

from tests.neighbours.apache import ApacheKafka
from tests.neighbours.choice import Broker, Choice, Ledger, choose, start_kafka, start_redis
from tests.neighbours.embedded import EmbeddedKafka, EmbeddedRedis
from tests.neighbours.process import StartError, free_port
from tests.neighbours.redis_server import RedisServer

__all__ = [
    "ApacheKafka",
    "Broker",
    "Choice",
    "EmbeddedKafka",
    "EmbeddedRedis",
    "Ledger",
    "RedisServer",
    "StartError",
    "choose",
    "free_port",
    "start_kafka",
    "start_redis",
]
