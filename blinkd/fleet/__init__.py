"""How a hundred terminals come into an organisation, and stay in it: bundles, claims, and the days that certificates have left."""
