"""What a recognised, live person does: check in or out, on time or late."""
