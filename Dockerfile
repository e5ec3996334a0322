# The bot for Discord; give it a token and a folder that stays:
#   docker build -t zoetrope .
#   docker run --gpus all -e DISCORD_TOKEN -v zoetrope:/data zoetrope
FROM python:3.12-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN useradd --create-home zoetrope && mkdir /data && chown zoetrope /data
USER zoetrope
ENV ZOETROPE_DATA=/data PYTHONUNBUFFERED=1
VOLUME /data
STOPSIGNAL SIGTERM
CMD ["python", "-m", "bot"]
