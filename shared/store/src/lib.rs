//! Runs, tasks, locks, fences and deliveries in DynamoDB.
