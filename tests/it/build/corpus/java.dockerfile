FROM localhost/base AS build
COPY app /home/app/src
RUN mkdir -p /home/app/target && cat /home/app/src/*.txt > /home/app/target/demo-1.0.jar
FROM localhost/base
ARG JAR_FILE=/home/app/target/*.jar
COPY --from=build ${JAR_FILE} /usr/local/lib/demo.jar
EXPOSE 8080
ENTRYPOINT ["java","-jar","/usr/local/lib/demo.jar"]
