# Command lines of the server, each loaded by a test.

# One node.
./acme-manager-server \
  -config-path=config.yml \
  -log.level=info \
  -server.listen-address=:8989

# The first node of a cluster.
./acme-manager-server \
  -config-path=config.yml \
  -ring.instance-id=node1 \
  -ring.instance-addr=192.168.1.10 \
  -ring.instance-port=7946 \
  -log.level=info

# The second one.
./acme-manager-server \
  -config-path=config.yml \
  -ring.instance-id=node2 \
  -ring.instance-addr=192.168.1.11 \
  -ring.instance-port=7946 \
  -ring.join-members=192.168.1.10:7946 \
  -log.level=info

# The third one.
./acme-manager-server \
  -config-path=config.yml \
  -ring.instance-id=node3 \
  -ring.instance-addr=192.168.1.12 \
  -ring.instance-port=7946 \
  -ring.join-members=192.168.1.10:7946,192.168.1.11:7946 \
  -log.level=info

# In a systemd unit (%H is the host name).
/usr/bin/acme-manager-server \
  -config-path=/etc/acme-manager/config.yml \
  -env-config-path=/etc/acme-manager/.env \
  -ring.instance-id=%H \
  -ring.join-members=node1:7946,node2:7946,node3:7946

# With TLS.
./acme-manager-server \
  -server.tls-cert-file=server.crt \
  -server.tls-key-file=server.key \
  -server.tls-client-ca-file=ca.crt
