#!/bin/sh
# KAFKA_NODE_ID=1 becomes node.id=1; a directory that is not formatted yet is formatted; then the broker takes over.
set -euf # no globbing: the JVM itself expands the * of its class path
cd /var/lib/kafka
env | sed -n 's/^KAFKA_\([A-Z_]*\)=\(.*\)$/\1 \2/p' | while read -r name value; do
  printf '%s=%s\n' "$(echo "$name" | tr 'A-Z_' 'a-z.')" "$value"
done >server.properties
echo log.dirs=/var/lib/kafka/log >>server.properties
java='java -Xms256m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError'
java="$java -Djava.awt.headless=true -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml -cp /opt/kafka/libs/*"
[ -e log/meta.properties ] ||
  $java kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qk -c server.properties >/dev/null
exec $java kafka.Kafka server.properties
