SELECT load_no, event_time_max FROM loads WHERE state = 'completed' ORDER BY load_no
