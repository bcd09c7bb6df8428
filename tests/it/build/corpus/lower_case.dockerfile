from localhost/base as base
run echo x > /x
from base
copy app/main.txt /m
cmd ["x"]
