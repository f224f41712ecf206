"""The program's messages as codes, in English and Korean; a page and a report have their own."""
