"""What tests of the network need beside the servers of blinkd/measure/servers: certificates, a client, a bad network."""
