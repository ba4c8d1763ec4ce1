//! Stage messages on SQS.
