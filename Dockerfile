FROM python:3.12-slim

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app

COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock

COPY activities activities
COPY content content
COPY migrations migrations
COPY models models
COPY nurture nurture
COPY perennial perennial
COPY sample sample
COPY workflows workflows
COPY alembic.ini starter.py worker.py ./

RUN useradd --create-home --uid 10001 perennial
USER perennial

CMD ["python", "worker.py"]
