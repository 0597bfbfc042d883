"""What keeps the terminal at work: restart policies, systemd's notifications and watchdog, the journal, the reload of settings."""
