"""Every metric, typed: its name, kind, labels and meaning stand here and nowhere else.

Durations are in seconds, as Prometheus asks. Import this module and use the objects; `serve(port)` opens the endpoint.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, start_http_server

LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)

# Stages
RECORDS_CONSUMED = Counter("keypulse_records_consumed", "Records read from Kafka", ["stage", "topic"])
RECORDS_DUPLICATE = Counter("keypulse_records_duplicate", "Events dropped because their id was known", ["topic"])
RECORDS_DEADLETTERED = Counter(
    "keypulse_records_deadlettered", "Records sent to the dead-letter topic", ["topic", "code"]
)
BATCH_SECONDS = Histogram(
    "keypulse_batch_seconds", "One batch from consume to commit", ["stage"], buckets=LATENCY_BUCKETS
)
BATCH_RECORDS = Histogram(
    "keypulse_batch_records", "Records of a batch", ["stage"], buckets=(1, 10, 100, 500, 1000, 2000, 4000, 8000)
)
CHECKPOINT_SECONDS = Histogram(
    "keypulse_checkpoint_seconds", "One atomic checkpoint write", ["stage"], buckets=LATENCY_BUCKETS
)
CHECKPOINT_BYTES = Counter("keypulse_checkpoint_bytes", "Bytes written to checkpoints", ["stage", "part"])
SNAPSHOTS = Counter("keypulse_snapshots", "Journals folded into a snapshot", ["stage"])
STAGE_FENCED = Counter("keypulse_stage_fenced", "A former owner's write was refused", ["stage"])
STAGE_RESTORES = Counter("keypulse_stage_restores", "Partitions restored from a checkpoint", ["stage"])
MESSAGES_REPEATED = Counter(
    "keypulse_messages_repeated", "Messages dropped because their sequence number was seen", ["stage"]
)
PARTITIONS_OWNED = Gauge("keypulse_partitions_owned", "Partitions this process owns", ["stage"])
WATERMARK_MS = Gauge("keypulse_watermark_ms", "Greatest event time seen", ["topic", "partition"])

# Attribution
ATTRIBUTION_KEPT = Gauge(
    "keypulse_attribution_kept", "Clicks and purchases kept for attribution", ["partition", "what"]
)
ATTRIBUTION_CORRECTIONS = Counter(
    "keypulse_attribution_corrections", "Purchases moved to another click by a late click"
)

# Features
VECTORS_WRITTEN = Counter("keypulse_vectors_written", "Vectors written to the online store", ["entity"])
ENTITIES_KNOWN = Gauge("keypulse_entities_known", "Entities with tiles", ["partition"])
EVENT_TO_FEATURE_SECONDS = Histogram(
    "keypulse_event_to_feature_seconds", "Event time to vector readable, on a sample", buckets=LATENCY_BUCKETS
)
SIGNALS_SENT = Counter("keypulse_signals_sent", "Signals of a material movement", ["entity"])
FEATURE_LOG_ROWS = Counter("keypulse_feature_log_rows", "Served vectors archived to Parquet")

# Agents
AGENT_RECORDS = Counter("keypulse_agent_records", "Records an agent took", ["agent"])
FEEDBACK = Counter("keypulse_feedback", "Feedback on suggestions", ["action"])
DRIFT_DETECTED = Counter("keypulse_drift_detected", "A rate of a category has changed", ["category", "rate"])
DRIFT_RATIO = Gauge(
    "keypulse_drift_ratio", "A rate since its last change over that before; 1: none in 6 hours", ["category", "rate"]
)
LIVE_CALIBRATION = Gauge(
    "keypulse_live_calibration",
    "Clicks on adopted keywords over those foreseen, had every place been the first; a change says something, not 1",
    ["category"],
)

# Scoring
CAMPAIGNS_SCORED = Counter("keypulse_campaigns_scored", "Campaigns scored")
CAMPAIGNS_WAITING = Gauge("keypulse_campaigns_waiting", "Campaigns whose signals wait to be scored")
SCORE_SECONDS = Histogram("keypulse_score_seconds", "Scoring one batch of campaigns", ["step"], buckets=LATENCY_BUCKETS)
SETS_PUBLISHED = Counter("keypulse_sets_published", "Suggestion sets published", ["trigger"])
SETS_UNCHANGED = Counter("keypulse_sets_unchanged", "Scored lists that were not worth a message")
EVENT_TO_SUGGESTION_SECONDS = Histogram(
    "keypulse_event_to_suggestion_seconds", "Event time to suggestion set published", buckets=LATENCY_BUCKETS
)
BUNDLE_REFUSED = Gauge("keypulse_bundle_refused", "1 while a running worker can't take up the promoted bundle")

# Experiments
EXPERIMENT_ALARMS = Gauge("keypulse_experiment_alarms", "What must be done about an experiment", ["experiment"])
EXPERIMENT_UNITS = Gauge("keypulse_experiment_units", "Units exposed", ["experiment", "arm"])
EXPERIMENT_P_VALUE = Gauge(
    "keypulse_experiment_p_value", "Of the tests that arms hold the units they should", ["experiment", "check"]
)
EXPERIMENT_STOPPED = Gauge("keypulse_experiment_stopped", "1 once an arm is stopped", ["experiment", "arm"])
EXPERIMENT_GUARDRAIL_UPPER = Gauge(
    "keypulse_experiment_guardrail_upper",
    "Upper bound of the relative change of campaigns created",
    ["experiment", "arm"],
)

# Lag
CONSUMER_LAG = Gauge("keypulse_consumer_lag", "Records not yet consumed", ["group", "topic", "partition"])
CONSUMER_LAG_SECONDS = Gauge(
    "keypulse_consumer_lag_seconds", "Age of the oldest record not yet consumed", ["group", "topic", "partition"]
)


def serve(port: int) -> None:
    """Open the Prometheus endpoint on `port`; 0 opens none."""
    if port:
        start_http_server(port)
