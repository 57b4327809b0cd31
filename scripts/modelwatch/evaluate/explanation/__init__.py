"""Why a metric dropped: segments, the onset, drifted inputs."""
