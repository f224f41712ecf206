"""What all remote backends share: endpoints, timed HTTP, retries, failures, streamed replies."""
