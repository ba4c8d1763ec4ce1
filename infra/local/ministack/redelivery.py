"""Messages whose invocation died come again sooner than their queue's visibility timeout says.

On AWS they come after it, which is six times the function's timeout: nobody wants to wait for that in a test. A
message that a function gave back with a delay of its own keeps that delay.
"""

import time


def hasten(lambda_svc, sqs, pause_of):
    """Lets `pause_of()` seconds pass, or the whole timeout where it gives none."""
    run_batch = lambda_svc._run_sqs_batch

    def run_and_hasten(esm, func_rec, event, batch, queue_url, queue_name):
        taken = {message["id"]: message["visible_at"] for message in batch}
        run_batch(esm, func_rec, event, batch, queue_url, queue_name)
        pause = pause_of()
        if pause is None:
            return
        with sqs._queues_lock:
            for message in batch:
                if message["visible_at"] == taken[message["id"]]:
                    message["visible_at"] = min(message["visible_at"], time.time() + pause)

    lambda_svc._run_sqs_batch = run_and_hasten
