"""What is asked for at a desk, by a command or on a page: reports, figures of a day, files for payroll.

It joins the store with what the attendance folder counts; how it is printed or drawn is the asker's.
"""
