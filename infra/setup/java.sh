#!/usr/bin/env bash
# Finds what the local Kafka needs, Java >= 17 and Maven, or installs it from the system's packages where that works.
set -euo pipefail

java_version() {
  "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1
}
has_java() { local version; version=$(java_version) && [ "${version:-0}" -ge 17 ]; }
has_maven() { command -v mvn >/dev/null; }

if has_java && has_maven; then
  exit 0
fi

root=
if [ "$(id -u)" -ne 0 ]; then
  root="sudo -n"
fi

if command -v apt-get >/dev/null && $root true 2>/dev/null; then
  echo "stack-deps: installing Java and Maven with apt-get; Apache Kafka, which the local stack runs, needs them"
  $root apt-get update -qq || echo "stack-deps: apt-get update failed; trying with the lists at hand" >&2
  packages=()
  has_maven || packages+=(maven)
  if ! has_java; then
    for version in 21 17; do
      if apt-cache show "openjdk-$version-jre-headless" >/dev/null 2>&1; then
        packages+=("openjdk-$version-jre-headless")
        break
      fi
    done
  fi
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null ||
    echo "stack-deps: apt-get install ${packages[*]} failed" >&2
fi

if ! has_java || ! has_maven; then
  echo "stack-deps: Java >= 17 or Maven is missing and could not be installed here. Install them yourself:" >&2
  echo "  Debian, Ubuntu: apt-get install openjdk-17-jre-headless maven    Fedora: dnf install java-21-openjdk-headless maven" >&2
  echo "  macOS: brew install openjdk maven    or set KEYPULSE_KAFKA_SERVERS to a Kafka of your own" >&2
  echo "Without them the demo takes librdkafka's embedded broker, and tests on a real Kafka fail." >&2
fi
