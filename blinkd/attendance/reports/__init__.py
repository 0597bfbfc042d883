"""What payroll and the dashboard read: reports, exports, statistics, and which days are final."""
