FROM localhost/base
ADD files.tar /unpacked
ADD files.tar.gz /unpacked-gz/
ADD app/main.txt /plain
ADD app /tree
