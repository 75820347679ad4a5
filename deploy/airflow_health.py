"""Exit 0 if Airflow calls this part of itself healthy: `python deploy/airflow_health.py scheduler`."""

import json
import os
import sys
import urllib.request

URL = os.environ.get("AIRFLOW_HEALTH_URL", "http://airflow-api-server:8080/api/v2/monitor/health")


def main(part: str) -> int:
    with urllib.request.urlopen(URL, timeout=5) as answer:
        said = json.load(answer).get(part) or {}
    print(f"{part}: {said.get('status')}")
    return int(said.get("status") != "healthy")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
