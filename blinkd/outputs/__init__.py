"""What the terminal moves and tells: door, buzzer and light, metrics, home automation."""
