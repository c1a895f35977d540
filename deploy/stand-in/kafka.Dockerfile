# Stand-in for the project's own Apache Kafka image where no image registry is reached: the same jars, and its way of
# taking properties as KAFKA_* variables. The context is the directory that `python -m tests.neighbours prepare` names.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN mkdir -p /usr/share/man/man1 && apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 1000 kafka && install -d -o kafka /var/lib/kafka
COPY libs /opt/kafka/libs
COPY run.sh log4j2.xml /opt/kafka/
USER kafka
EXPOSE 9092
CMD ["sh", "/opt/kafka/run.sh"]
